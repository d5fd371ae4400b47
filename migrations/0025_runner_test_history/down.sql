DROP TABLE runner_test_history;
