-- A late return has come in since the last judgement: where an incident is open its log is told, and its cause is looked at again.
alter table monitor_states add column returned_late boolean not null default false;
