DROP TABLE fan_out_rows;
DROP TABLE fan_outs;
