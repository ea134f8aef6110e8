"""Flower's settings: Flower executes this file (`celery flower --conf`) and reads its names as options."""

from pipeline.monitoring.flower.launch import credentials
from pipeline.monitoring.flower.task_format import format_task as format_task

basic_auth = [credentials()]
tasks_columns = "name,state,result,received,runtime,worker"
purge_offline_workers = 600
