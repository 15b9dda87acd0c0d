-- 0281 let the server choose between a plan with the values and one for all values. It compares what they are guessed to cost,
-- and chose the first for most rows: to plan then took longer than to look. 480 Observations of one resident: 924 ms with plans
-- of their own, 450 ms when it chose, 43 ms with one plan for all.
ALTER FUNCTION access_same(bigint) SET plan_cache_mode = 'force_generic_plan';
ALTER FUNCTION access_kept(bigint, access_asker) SET plan_cache_mode = 'force_generic_plan';
ALTER FUNCTION access_emergency(bigint[], access_asker) SET plan_cache_mode = 'force_generic_plan';
ALTER FUNCTION access_names(bigint[], access_asker, boolean) SET plan_cache_mode = 'force_generic_plan';
ALTER FUNCTION access_left(bigint[], bigint, smallint, bigint[], access_asker) SET plan_cache_mode = 'force_generic_plan';
ALTER FUNCTION access_cares(bigint, smallint, bigint[], access_asker, text[], boolean) SET plan_cache_mode = 'force_generic_plan';
ALTER FUNCTION access_keeps(bigint, smallint, bigint[], access_asker, bigint[]) SET plan_cache_mode = 'force_generic_plan';
ALTER FUNCTION access_facts(bigint, bigint, bigint, bigint) SET plan_cache_mode = 'force_generic_plan';
