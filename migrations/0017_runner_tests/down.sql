DROP TABLE runner_tests;
