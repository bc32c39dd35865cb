/** The probes: who watches, and whether they can be believed. */
import type { Probe } from '../api/resources.ts'
import { Mark } from '../parts/mark.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { Age } from '../parts/when.tsx'
import { probesInOrder } from '../state/select.ts'
import { useSession } from '../state/session.tsx'
import { clockWords, healthWords } from '../words/health.ts'
import { probeMark } from '../words/verdicts.ts'

export function ProbeList() {
  const { state } = useSession()
  const probes = probesInOrder(state.probes?.values() ?? [])
  const inService = probes.filter((probe) => probe.state !== 'retired').length
  return (
    <Panel title="Probes" note={inService > 1 ? inService : undefined}>
      {probes.length === 0 ? (
        <Empty title="No probe yet.">
          <p>
            Create one with <code>POST /v1/probes</code> and start it with the enrolment token of the answer. Probes in two
            different regions are the least that can confirm an outage.
          </p>
        </Empty>
      ) : (
        <ul class="probes">
          {probes.map((probe) => (
            <ProbeRow key={probe.id} probe={probe} />
          ))}
        </ul>
      )}
    </Panel>
  )
}

function ProbeRow({ probe }: { probe: Probe }) {
  return (
    <li class="probe">
      <p class="probe-head">
        <strong>{probe.region}</strong>
        {probe.name !== probe.region && <span class="quiet">{probe.name}</span>}
        <Mark mark={probeMark(probe.state)} />
      </p>
      {/* What a retired probe said of itself last says nothing any more. */}
      {probe.state !== 'retired' && <ProbeFacts probe={probe} />}
    </li>
  )
}

function ProbeFacts({ probe }: { probe: Probe }) {
  const health = probe.fails_widely
    ? { tone: 'bad', text: 'fails for many mail systems that are well elsewhere: its failures do not count' }
    : healthWords(probe)
  const clock = clockWords(probe)
  return (
    <dl class="probe-facts">
      <div>
        <dt>Seen</dt>
        <dd>
          <Age time={probe.last_seen_at} />
        </dd>
      </div>
      <div>
        <dt>Health</dt>
        <dd class={health.tone === 'good' || health.tone === 'idle' ? '' : `tone-${health.tone} strong`}>{health.text}</dd>
      </div>
      <div>
        <dt>Clock</dt>
        <dd class={clock.tone === 'good' || clock.tone === 'idle' ? 'num' : `num tone-${clock.tone} strong`}>{clock.text}</dd>
      </div>
    </dl>
  )
}
