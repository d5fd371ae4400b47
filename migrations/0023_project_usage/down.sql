DROP TABLE project_quotas;
DROP TABLE project_usage;
