-- What is known of late news has more to it now (core/evidence.ts). It is found again in the results at the next judgement.
update monitor_states set state = jsonb_set(state, '{late}', 'null') where state -> 'late' <> 'null';
