-- Policy or contacts have changed since paging began: whoever should have been told by now is looked for (flow/escalate.ts).
alter table incidents add column amended boolean not null default false;
