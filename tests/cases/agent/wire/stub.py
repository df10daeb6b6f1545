"""A model's provider on a real socket, in the formats of OpenAI and Anthropic; must not know what a case is."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Dialect = Literal["openai", "anthropic"]
TOKENS_IN, TOKENS_OUT = 1000, 50


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    def find_texts(self) -> list[str]:
        """Returns every text of the conversation so far, tool results included, oldest first."""
        found: list[str] = []
        waiting: list[Any] = [self.body.get("system"), self.body["messages"]]
        while waiting:
            item = waiting.pop(0)
            if isinstance(item, str):
                found.append(item)
            elif isinstance(item, list):
                waiting = [*item, *waiting]
            elif isinstance(item, dict):
                waiting = [item.get("text"), item.get("content"), *waiting]
        return found

    def list_tools(self) -> list[str]:
        """Returns the names of the forms of answer that are offered."""
        return [tool.get("function", tool)["name"] for tool in self.body["tools"]]


class Exchange(BaseHTTPRequestHandler):
    """Takes requests on one connection and plays the next scripted answer to each."""

    server: _Server
    protocol_version = "HTTP/1.1"
    # Head and body in one packet, or each answer waits for a delayed acknowledgement.
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        with self.server.stub.guard:
            self.server.stub.connections += 1

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.server.stub.take(asked)(self)

    def write(self, content: bytes) -> bool:
        """Returns whether the other side still listens."""
        try:
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


Answer = Callable[[Exchange], None]


class ModelStub:
    """The server; `play` scripts answers, `play_always` answers by the request. Unscripted: 599."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.over = threading.Event()
        self.guard = threading.Lock()
        self._script: deque[Answer] = deque()
        self._always: Callable[[Asked], Answer] | None = None
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def get_base_url(self, dialect: Dialect) -> str:
        """Returns what an operator sets as the base URL: OpenAI's has the version in it, Anthropic's has not."""
        return f"{self.url}/v1" if dialect == "openai" else self.url

    def play(self, *answers: Answer) -> None:
        """Appends answers to the script."""
        self._script.extend(answers)

    def play_always(self, answer: Callable[[Asked], Answer]) -> None:
        """Answers what the script does not cover by what was asked."""
        self._always = answer

    def take(self, asked: Asked) -> Answer:
        with self.guard:
            self.asked.append(asked)
            if self._script:
                return self._script.popleft()
        return self._always(asked) if self._always else fail(599)

    def close(self) -> None:
        """Stops the server and every answer that still drips."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, stub: ModelStub) -> None:
        self.stub = stub
        super().__init__(("127.0.0.1", 0), Exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def send(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> Answer:
    """A complete answer of these bytes."""

    def answer(exchange: Exchange) -> None:
        exchange.send_response(status)
        for name, value in {"Content-Type": content_type, **headers}.items():
            exchange.send_header(name.replace("_", "-"), value)
        exchange.send_header("Content-Length", str(len(body)))
        exchange.end_headers()
        exchange.write(body)

    return answer


def fail(status: int, error: dict[str, Any] | None = None, **headers: str) -> Answer:
    """An error in the form that both providers use."""
    body = {"type": "error", "error": error or {"type": "api_error", "message": "it failed"}}
    return send(status, json.dumps(body).encode(), **headers)


def choose(dialect: Dialect, form: str, arguments: dict[str, Any] | str) -> Answer:
    """The model answers in the form of that name; a text stands for arguments that are cut off or no JSON at all."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    if dialect == "openai":
        call = {"id": "call_1", "type": "function", "function": {"name": form, "arguments": text}}
        return _complete_openai({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls")
    content = {"type": "tool_use", "id": "toolu_1", "name": form, "input": arguments}
    return _complete_anthropic([content], "tool_use")


def speak(dialect: Dialect, text: str, *, is_cut: bool = False) -> Answer:
    """The model writes plain text; `is_cut` says that it ran out of tokens over it."""
    if dialect == "openai":
        return _complete_openai({"role": "assistant", "content": text}, "length" if is_cut else "stop")
    return _complete_anthropic([{"type": "text", "text": text}] if text else [], "max_tokens" if is_cut else "end_turn")


def cut_off(dialect: Dialect, form: str) -> Answer:
    """The model runs out of tokens in the middle of its answer."""
    if dialect == "openai":
        half = {"id": "call_1", "type": "function", "function": {"name": form, "arguments": '{"kind": "DRA'}}
        return _complete_openai({"role": "assistant", "content": None, "tool_calls": [half]}, "length")
    return _complete_anthropic([{"type": "tool_use", "id": "toolu_1", "name": form, "input": {}}], "max_tokens")


def refuse(dialect: Dialect) -> Answer:
    """The model, or a filter before it, refuses to answer at all."""
    if dialect == "openai":
        return _complete_openai({"role": "assistant", "content": None}, "content_filter")
    return _complete_anthropic([], "refusal")


def cut() -> Answer:
    """The connection breaks after the request was taken."""

    def answer(exchange: Exchange) -> None:
        exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        exchange.close_connection = True
        # The file objects of the handler hold the socket open beyond its own close().
        os.close(exchange.connection.detach())

    return answer


def hang(stub: ModelStub) -> Answer:
    """Takes the request and never answers."""

    def answer(exchange: Exchange) -> None:
        exchange.close_connection = True
        stub.over.wait(30)

    return answer


def trickle(stub: ModelStub) -> Answer:
    """Begins an answer and sends a byte of it every 20 ms, so that no single silence is long."""

    def answer(exchange: Exchange) -> None:
        exchange.close_connection = True
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
        still_heard = exchange.write(head)
        while still_heard and not stub.over.wait(0.02):
            still_heard = exchange.write(b" ")

    return answer


def _complete_openai(message: dict[str, Any], finish_reason: str) -> Answer:
    usage = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}
    choice = {"index": 0, "finish_reason": finish_reason, "message": message}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4.1-2025-04-14",
        "choices": [choice],
        "usage": usage,
    }
    return send(200, json.dumps(answer).encode())


def _complete_anthropic(content: list[dict[str, Any]], stop_reason: str) -> Answer:
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": TOKENS_IN, "output_tokens": TOKENS_OUT},
    }
    return send(200, json.dumps(answer).encode())
