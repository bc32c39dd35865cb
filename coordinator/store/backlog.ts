/** How far the coordinators are behind their work, for the metrics. */
import { countBlocked } from './blocks.ts'
import type { Sql } from './connection.ts'

export type Backlog = {
  oldest_s: { judgement: number; escalation_step: number; page: number; assignment: number }
  monitors: { decision: string; count: number }[]
  pages: { state: string; count: number }[]
  blocked: { probe: string; count: number }[]
}

export async function readBacklog(sql: Sql): Promise<Backlog> {
  const [oldest] = await sql<Backlog['oldest_s'][]>`
    select
      coalesce((select extract(epoch from now() - min(judge_at)) from monitor_states where judge_at <= now()), 0)::float8 as judgement,
      coalesce((select extract(epoch from now() - min(next_step_at)) from incidents where next_step_at <= now()), 0)::float8 as escalation_step,
      coalesce((select extract(epoch from now() - min(due_at)) from pages where state = 'pending' and due_at <= now()), 0)::float8 as page,
      coalesce((select extract(epoch from now() - min(assign_at)) from monitors where assign_at <= now()), 0)::float8 as assignment`
  const monitors = await sql<Backlog['monitors']>`
    select s.decision, count(*) as count from monitor_states s join monitors m on m.customer_id = s.customer_id and m.id = s.monitor_id
    where m.deleted_at is null group by s.decision`
  const pages = await sql<
    Backlog['pages']
  >`select state, count(*) as count from pages where created_at > now() - interval '1 day' group by state`
  return {
    oldest_s: oldest ?? { judgement: 0, escalation_step: 0, page: 0, assignment: 0 },
    monitors,
    pages,
    blocked: await countBlocked(sql),
  }
}
