DROP TABLE job_artifacts;
DROP TABLE job_collected;
