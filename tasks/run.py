"""Who asks: the flow run that is running."""

from prefect.runtime import flow_run

from interlock.records import Run


def this_run() -> Run:
    """Return the running flow run as records name it."""
    return Run(flow_run_id=flow_run.id, flow_run_name=flow_run.name, who=f"flow {flow_run.flow_name}")
