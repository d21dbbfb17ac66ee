"""The bodies of RTMP's media messages, which are those of FLV's tags: H.264 and AAC.

Source: Adobe, Video File Format Specification 10, annex E.
"""

from __future__ import annotations

from streaming.publishing import amf, h264

AUDIO, VIDEO, DATA = 8, 9, 18
# AAC-LC, 48 kHz, two channels (ISO/IEC 14496-3, 1.6.2.1).
AAC_CONFIGURATION = bytes([0x11, 0x90])
# AAC at 44 kHz or more (its configuration tells), 16 bits, stereo.
_AAC = 0xAF
_KEYFRAME, _BETWEEN, _AVC = 0x10, 0x20, 7


def metadata(width: int, height: int, fps: int, video_bitrate: int, audio_bitrate: int) -> bytes:
    """Return `onMetaData`, as an ingest that records or transcodes wants it.

    Args:
        width: pixels.
        height: pixels.
        fps: pictures a second.
        video_bitrate: bits a second.
        audio_bitrate: bits a second.
    """
    return amf.encode("@setDataFrame", "onMetaData") + amf.ecma_array(
        {
            "width": float(width),
            "height": float(height),
            "framerate": float(fps),
            "videodatarate": video_bitrate / 1000.0,
            "videocodecid": 7.0,
            "audiodatarate": audio_bitrate / 1000.0,
            "audiosamplerate": 48000.0,
            "audiosamplesize": 16.0,
            "stereo": True,
            "audiocodecid": 10.0,
            "encoder": "conductor",
        }
    )


def video_header(picture: list[bytes]) -> bytes:
    """Return the message that tells the decoder's configuration, from the units of a keyframe.

    Raises:
        ValueError: its headers are missing.
    """
    return bytes([_KEYFRAME | _AVC, 0, 0, 0, 0]) + h264.configuration(picture)


def video(picture: list[bytes], *, keyframe: bool, filler: bytes = b"") -> bytes:
    """Return a picture's message; no picture is shown later than it is decoded."""
    head = bytes([(_KEYFRAME if keyframe else _BETWEEN) | _AVC, 1, 0, 0, 0])
    return head + h264.with_lengths(picture) + filler


def audio_header() -> bytes:
    """Return the message that tells AAC's configuration."""
    return bytes([_AAC, 0]) + AAC_CONFIGURATION


def audio(packet: bytes) -> bytes:
    """Return an AAC packet's message."""
    return bytes([_AAC, 1]) + packet
