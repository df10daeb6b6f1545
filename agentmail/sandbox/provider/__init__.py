"""AgentMail's HTTP API as the stand-in serves it: paths, bodies and errors, over the sandbox's rows.

Left out: changing drafts, forward, search, batches, domains, lists, pods and keys; their paths answer 404.
"""
