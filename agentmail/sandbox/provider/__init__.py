"""AgentMail's HTTP API as the stand-in serves it: paths, bodies and errors, over the sandbox's rows."""
