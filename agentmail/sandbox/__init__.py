"""The sandbox: our stand-in for AgentMail and a mailbox to play the counterparty; must not import the product."""
