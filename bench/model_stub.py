"""A model that drafts at once and takes its time to judge: `python -m bench.model_stub PORT SECONDS`.

Speaks OpenAI's chat completions. Its judgement is always a question to a human: the shortest that ends an event.
"""

from __future__ import annotations

import asyncio
import json
import sys

from bench.loopback import serve

DRAFT = {"kind": "DRAFT", "subject": "Signed W-9", "body": "Hi Maya,\n\ncould you send us the signed W-9?\n\nAna"}
QUESTION = {
    "kind": "INPUT_NEEDED",
    "question": "Is the form complete?",
    "rationale": "A bench asks this.",
}


class Model:
    """`in_flight` are the judgements that are being thought about."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.in_flight = 0

    async def answer(self, method: str, path: str, headers: dict[str, str], content: bytes) -> dict[str, object]:
        """Answers a call in one of the forms it offers; GET tells how many judgements are in flight."""
        if method == "GET":
            return {"in_flight": self.in_flight}
        forms = {tool["function"]["name"] for tool in json.loads(content)["tools"]}
        if "answer_drafted_mail" in forms:
            return _complete("answer_drafted_mail", DRAFT)
        self.in_flight += 1
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.in_flight -= 1
        return _complete("answer_input_needed", QUESTION)


def _complete(form: str, arguments: dict[str, str]) -> dict[str, object]:
    function = {"name": form, "arguments": json.dumps(arguments)}
    call = {"id": "call_1", "type": "function", "function": function}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": None, "tool_calls": [call]},
            }
        ],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
    }


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Model(float(sys.argv[2])).answer))
