DROP TABLE tokens;
DROP TABLE job_events;
DROP TABLE jobs;
DROP TABLE phase_runs;
DROP TABLE runners;
DROP TABLE settings;
