DROP TABLE runner_events;
