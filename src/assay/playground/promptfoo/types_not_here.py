"""Types of assertions that promptfoo has and Assay does not."""

_CODE = "Code in assertions is not run: use regex, contains-json and so on."
TYPES_NOT_HERE = {
    "classifier": "No model classifies here: ask one for the label and use equals, or llm-rubric.",
    "search-rubric": "Judges do not search the web: use llm-rubric.",
    "javascript": _CODE,
    "python": _CODE,
    "ruby": _CODE,
    "webhook": "Assertions call no other servers.",
    "guardrails": "Guardrails of providers are not looked at.",
    "is-refusal": "Ask with llm-rubric, or look for the words of a refusal with icontains-any.",
    "is-sql": "SQL is not parsed: use regex, or llm-rubric.",
    "contains-sql": "SQL is not parsed: use regex, or llm-rubric.",
    "is-xml": "XML is not parsed: use regex.",
    "contains-xml": "XML is not parsed: use regex.",
    "is-html": "HTML is not parsed: use regex.",
    "contains-html": "HTML is not parsed: use regex.",
    "is-valid-function-call": "Calls of functions are not graded.",
    "is-valid-openai-function-call": "Calls of functions are not graded.",
    "is-valid-openai-tools-call": "Calls of tools are not graded.",
    "tool-call-f1": "Calls of tools are not graded.",
    "skill-used": "Skills of agents are not graded.",
    "finish-reason": "The reason why an answer ended is not graded.",
    "moderation": "There is no moderation: use llm-rubric.",
    "pi": "This asks a service of its own: use llm-rubric.",
    "select-best": "Answers of several prompts are not held against each other: compare runs.",
    "max-score": "Answers of several prompts are not held against each other: compare runs.",
    "conversation-relevance": "Conversations of several turns are not graded here.",
    "trace-error-spans": "Traces are not graded.",
    "trace-span-count": "Traces are not graded.",
    "trace-span-duration": "Traces are not graded.",
}
"""Each with the reason or the remedy."""
