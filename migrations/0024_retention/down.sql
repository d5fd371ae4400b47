DROP INDEX fan_outs_by_repeats;
DROP INDEX fan_outs_by_end;
DROP INDEX jobs_by_end;
DROP TABLE removed_parts;
