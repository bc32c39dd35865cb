-- A mail that was told of as overdue was sent at least the slow mark before that, whatever clock its start was read from.
alter table overdues add column ingested_at timestamptz not null default now();
