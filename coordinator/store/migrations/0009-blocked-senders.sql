-- Vantages whose address the target refuses by policy: no outage, and a notice to the operator and the customer until a test passes.
alter table monitor_states add column blocked uuid[] not null default '{}';
create index monitor_states_blocked on monitor_states (customer_id, monitor_id) where blocked <> '{}';
update monitor_states set state = state || '{"blocked": {}}';
