"use strict";
// Before the first paint, so that a light page never flashes dark.
{
  const kept = localStorage.getItem("theme");
  if (kept) document.documentElement.dataset.theme = kept;
}
