from base64 import b64encode
from typing import Any

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserPromptPart,
)

from assay.gateway.errors import RequestRefused
from assay.gateway.providers.native_messages import native_messages, native_settings


def test_a_conversation_keeps_its_turns() -> None:
    messages: Any = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
    first, answer, second = native_messages(messages)
    assert isinstance(first, ModelRequest)
    assert [(type(part), getattr(part, "content", None)) for part in first.parts] == [
        (SystemPromptPart, "Be brief."),
        (UserPromptPart, "Hi"),
    ]
    assert isinstance(answer, ModelResponse)
    assert answer.parts == [TextPart("Hello")]
    assert [getattr(part, "content", None) for part in second.parts] == ["Bye"]


def test_content_parts_become_files() -> None:
    png, wav = b64encode(b"png bytes").decode(), b64encode(b"wav bytes").decode()
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}},
        {"type": "image_url", "image_url": {"url": "https://models.example/cat.png"}},
        {"type": "input_audio", "input_audio": {"data": wav, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": wav, "format": "mp3"}},
    ]
    messages: Any = [{"role": "user", "content": content}]
    (part,) = native_messages(messages)[0].parts
    assert isinstance(part, UserPromptPart)
    assert not isinstance(part.content, str)
    text, image, url, sound, mp3 = part.content
    assert text == "look"
    assert isinstance(image, BinaryContent)
    assert (image.data, image.media_type) == (b"png bytes", "image/png")
    assert isinstance(url, ImageUrl)
    assert url.url == "https://models.example/cat.png"
    assert isinstance(sound, BinaryContent)
    assert (sound.data, sound.media_type) == (b"wav bytes", "audio/wav")
    assert isinstance(mp3, BinaryContent)
    assert mp3.media_type == "audio/mpeg"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "video"}, "there are text, image_url and input_audio"),
        ({}, "no content parts of type None"),
        ({"type": "image_url"}, "image_url is not whole"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,x"}}, "not whole"),
        ({"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}}, "not whole"),
        ({"type": "text"}, "text is not whole"),
    ],
)
def test_a_part_that_is_not_known_or_not_whole_is_refused(part: Any, words: str) -> None:
    messages: Any = [{"role": "user", "content": [part]}]
    with pytest.raises(RequestRefused, match=words):
        native_messages(messages)


def test_parameters_get_their_names_there() -> None:
    assert native_settings(
        "anthropic/m",
        {
            "temperature": 0,
            "max_completion_tokens": 5,
            "top_p": 0.5,
            "seed": 7,
            "stop": "END",
            "anthropic_effort": "low",
        },
    ) == {
        "max_retries": 0,
        "temperature": 0,
        "max_tokens": 5,
        "top_p": 0.5,
        "seed": 7,
        "stop_sequences": ["END"],
        "anthropic_effort": "low",
    }


@pytest.mark.parametrize("parameter", ["temprature", "google_labels", "n"])
def test_an_unknown_parameter_is_refused(parameter: str) -> None:
    with pytest.raises(RequestRefused, match=f"takes no parameter '{parameter}'; it takes temp"):
        native_settings("anthropic/m", {parameter: 1})
