"""Flower's own settings: it executes this file (`celery flower --conf`) and takes the names that it knows."""

from pipeline.monitoring.flower.launch import credentials
from pipeline.monitoring.flower.task_format import in_words

basic_auth = [credentials()]
format_task = in_words
tasks_columns = "name,state,result,received,runtime,worker"
purge_offline_workers = 600
