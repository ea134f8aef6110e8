"""Flower's own settings: it executes this file (`celery flower --conf`) and takes the names that it knows."""

from pipeline.flower.door import credentials
from pipeline.flower.words import in_words

basic_auth = [credentials()]
format_task = in_words
tasks_columns = "name,state,result,received,runtime,worker"
purge_offline_workers = 600
