-- Of a control trip that was lost: up to two mail domains from which mail that the probe sent at the same moment has come back. The proofs
-- themselves are kept of each domain only until the next.
alter table control_trips add column beside text[] not null default '{}';
