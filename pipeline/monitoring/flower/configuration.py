"""Flower's settings: Flower executes this file (`celery flower --conf`) and reads its names as options."""

import flower.events

from pipeline.monitoring.flower.launch import credentials
from pipeline.monitoring.flower.task_format import format_task as format_task
from pipeline.monitoring.flower.task_search import JobSearch

basic_auth = [credentials()]
tasks_columns = "name,state,result,received,runtime,worker"
purge_offline_workers = 600
flower.events.TaskSearchEngine = JobSearch  # before Flower makes its state; it has no option for this
