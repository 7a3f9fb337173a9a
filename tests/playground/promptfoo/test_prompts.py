from collections.abc import Callable
from pathlib import Path

import pytest

from assay.playground.promptfoo.suite import Suite

Read = Callable[..., Suite]
Faults = Callable[..., dict[str, str]]
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Say {{word}}"},
]


@pytest.mark.parametrize(
    "prompts",
    [
        '[[{role: system, content: Be brief.}, {role: user, content: "Say {{word}}"}]]',
        """['[{"role": "system", "content": "Be brief."},"""
        """ {"role": "user", "content": "Say {{word}}"}]']""",
        '["- role: system\\n  content: Be brief.\\n- role: user\\n  content: Say {{word}}"]',
        '[{raw: [{role: system, content: Be brief.}, {role: user, content: "Say {{word}}"}]}]',
    ],
)
def test_a_chat_is_written_in_several_ways(read: Read, prompts: str) -> None:
    [prompt] = read(f"prompts: {prompts}").prompts
    assert prompt.version.type == "chat"
    assert prompt.version.messages() == MESSAGES


def test_content_parts_are_kept(read: Read) -> None:
    [prompt] = read(
        """
        prompts:
          - - role: user
              content:
                - {type: text, text: "{{word}}"}
                - {type: image_url, image_url: {url: "data:image/png;base64,{{word}}"}}
        """
    ).prompts
    assert prompt.version.messages() == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "{{word}}"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,{{word}}"}},
            ],
        }
    ]


def test_files(read: Read, tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "one.txt").write_text("\nSay {{word}}\n")
    (tmp_path / "two.txt").write_text("Say {{word}}\n---\nWrite {{word}}\n  ---\n\n")
    (tmp_path / "chat.json").write_text('[{"role": "user", "content": "Say {{word}}"}]')
    (tmp_path / "chat.yaml").write_text("- role: user\n  content: Say {{word}}\n")
    (tmp_path / "page.md").write_text("# Say\n---\n{{word}}\n")
    suite = read(
        """
        prompts:
          - file://prompts/one.txt
          - file://two.txt
          - {label: from json, id: file://chat.json}
          - {label: from yaml, raw: file://chat.yaml}
          - file://page.md
        """
    )
    assert [(p.name, p.version.type, p.version.template_text) for p in suite.prompts] == [
        ("prompts/one.txt", "text", "Say {{word}}"),
        ("two.txt #1", "text", "Say {{word}}"),
        ("two.txt #2", "text", "Write {{word}}"),
        ("from json", "chat", None),
        ("from yaml", "chat", None),
        ("page.md", "text", "# Say\n---\n{{word}}\n"),
    ]
    assert suite.prompts[3].version.messages() == suite.prompts[4].version.messages()


def test_files_stay_below_the_folder(faults: Faults, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-secret.txt"
    outside.write_text("secret")
    (tmp_path / "link.txt").symlink_to(outside)
    for reference in (f"../{outside.name}", str(outside), "link.txt", "a/../../x.txt"):
        found = faults(f"prompts: ['file://{reference}']")
        assert "is not in the folder of the configuration" in found["prompts[0]"]


@pytest.mark.parametrize(
    ("prompts", "place", "message"),
    [
        ("['']", "prompts[0]", "not empty"),
        ("[5]", "prompts[0]", "must be a text"),
        ("['Say {{word']", "prompts[0]", "Line 1 of the template"),
        ("['{% include \"x\" %}']", "prompts[0]", "include is not available"),
        ("[prompt.txt]", "prompts[0]", "write file://prompt.txt"),
        ("[file://missing.txt]", "prompts[0]", "No such file"),
        ("['file://prompts/*.txt']", "prompts[0]", "No file matches prompts/*.txt"),
        ("[file://prompt.py]", "prompts[0]", "code is not run"),
        ("['exec:./prompt.sh']", "prompts[0]", "not called"),
        ("['langfuse://x:1']", "prompts[0]", "not called"),
        ("[{label: x}]", "prompts[0].raw", "missing"),
        ("[{id: x}]", "prompts[0].id", "file://"),
        ("[{raw: x, config: {}}]", "prompts[0].config", "with a provider"),
        ("[{role: user, content: x}]", "prompts[0].role", "list of messages"),
        ("[[]]", "prompts[0]", "at least 1 item"),
        ("[[{role: user}]]", "prompts[0][0].content", "required"),
        ("[[{role: tool, content: x}]]", "prompts[0][0].role", "'assistant'"),
        ("[[{role: user, content: '{{'}]]", "prompts[0][0].content", "Line 1"),
        (
            "[[{role: user, content: [{type: video}]}]]",
            "prompts[0][0].content[0].type",
            "'image_url'",
        ),
        (
            """['[{"role": "user", "content": {{ word | dump }}}]']""",
            "prompts[0]",
            "inside the quotes",
        ),
        ("[a, {label: prompt 1, raw: b}]", "prompts[1]", 'another prompt called "prompt 1"'),
    ],
)
def test_faults(faults: Faults, prompts: str, place: str, message: str) -> None:
    assert message in faults(f"prompts: {prompts}")[place]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.txt", " \n---\n", "is empty"),
        ("chat.json", '[{"role": "user"', "chat.json cannot be read: line 1"),
        ("chat.json", '{"role": "user", "content": "x"}', "must hold a chat"),
        ("chat.yaml", "a: 1\na: 2", "chat.yaml cannot be read: line 2"),
    ],
)
def test_faults_in_files(
    faults: Faults, tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    assert message in faults(f"prompts: [file://{name}]")["prompts[0]"]
