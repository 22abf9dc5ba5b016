"""The routes of the serving app, one file per kind of caller: clients, operators' eyes, the deployer."""
