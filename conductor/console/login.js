"use strict";
const at = id => document.getElementById(id);
at("form").onsubmit = async e => {
  e.preventDefault();
  at("button").disabled = true;
  at("say").textContent = "";
  try {
    const answer = await fetch("/api/login", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Conductor": "console" },
      body: JSON.stringify({ name: at("name").value, password: at("password").value }),
    });
    if (answer.ok) return location.replace("/");
    at("say").textContent = (await answer.json()).reason;
  } catch {
    at("say").textContent = "the conductor cannot be reached";
  }
  at("button").disabled = false;
  at("password").select();
};
