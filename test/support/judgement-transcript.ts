/** What the lines of a transcript of the judgement do: they set the scene of a story, let time pass, and tell what happened meanwhile. */
import type { MonitorRules } from '../../coordinator/core/evidence.ts'
import type { FailureDomain } from '../../coordinator/core/failure-domain.ts'
import { type Fate, outcomeOf, type Setting } from './judgement-setting.ts'
import { type Change, Story } from './judgement-story.ts'
import { asTold, check, type Line, oneOf, type Step, secondsOf, type Transcript } from './transcript.ts'

/** Something holds in these regions for a while, or for a while again and again. */
type Stretch = { regions: string[] | null; from: number; to: number; every: number | null }
type Scene = {
  setting: Setting
  rules: Partial<MonitorRules>
  domains: Map<string, FailureDomain>
  mail: (Stretch & { fate: Fate })[]
  unproven: Stretch[]
  contradicted: Stretch[]
  retired: Stretch[]
  dead: Stretch[]
  cut: Stretch[]
  away: Stretch[]
  maintenance: Stretch[]
  story: Story | null
}

const stretchOptions = ['in', 'from', 'to', 'every']
const ruleOptions = ['period', 'timeout', 'slow', 'retest_wait', 'hard_confirm', 'open_period'] as const

/** Plays one story; returns what each step told that is to be compared, and what the judgement went through. */
export function playTranscript({ steps }: Transcript): { told: Map<Step, string[]>; changes: readonly Change[] } {
  const scene: Scene = {
    setting: {},
    rules: {},
    domains: new Map(),
    mail: [],
    unproven: [],
    contradicted: [],
    retired: [],
    dead: [],
    cut: [],
    away: [],
    maintenance: [],
    story: null,
  }
  const told = new Map<Step, string[]>()
  for (const step of steps) {
    const play = directives[step.directive]
    if (play === undefined) throw new Error(`${step.at}: no directive is called ${step.directive}`)
    const lines = play(scene, step)
    if ((lines === undefined) !== (step.expected === null)) {
      throw new Error(`${step.at}: ${step.directive} ${lines === undefined ? 'tells nothing' : 'needs ---- and what it tells'}`)
    }
    if (lines !== undefined) told.set(step, asTold(lines))
  }
  return { told, changes: scene.story?.changes ?? [] }
}

const directives: Record<string, (scene: Scene, line: Line) => string[] | undefined> = {
  /** `monitor regions=(eu,us) pool=sa quorum=2 mode=fast timeout=2:00 new`; the defaults are those of DESIGN 1, with three regions. */
  monitor(scene, line) {
    check(line, ['new'], ['regions', 'pool', 'quorum', 'mode', ...ruleOptions])
    const { regions, pool, quorum, mode } = line.options
    if (regions !== undefined) scene.setting.regions = regions
    if (pool !== undefined) scene.setting.pool = pool
    if (line.words.includes('new')) scene.setting.watched = false
    if (quorum !== undefined) scene.rules.quorum = Number(quorum[0])
    if (mode !== undefined) scene.rules.mode = oneOf(line, mode[0], ['seed', 'fast', 'hedged'])
    for (const option of ruleOptions) {
      const [value] = line.options[option] ?? []
      if (value !== undefined) scene.rules[`${option}_s`] = secondsOf(line, value)
    }
    return undefined
  },
  /** `vantage eu2 region=eu asn=64500 return=mail.example`: what it shares with others. */
  vantage(scene, line) {
    check(line, null, ['region', 'asn', 'return'])
    const [name = ''] = line.words
    const { region, asn, return: return_domain } = line.options
    scene.domains.set(name, {
      region: region?.[0] ?? name,
      asn: asn === undefined ? null : Number(asn[0]),
      return_domain: return_domain?.[0] ?? `${name}.probe.example`,
    })
    return undefined
  },
  /** `mail lost in=(eu,us) from=15:00 to=20:00 every=30:00`; the last that fits decides, and mail is well where none does. */
  mail(scene, line) {
    check(line, null, stretchOptions)
    const fate = oneOf(line, line.words[0], Object.keys(outcomeOf) as Fate[])
    scene.mail.push({ fate, ...stretchOf(line) })
    return undefined
  },
  /**
   * `probe unproven in=eu from=15:00`: its control trips are lost; `probe contradicted`: it fails for three mail systems more, from which
   * mail of other regions returns; `probe dead`: it does nothing; `probe retired`: it is no
   * vantage any more.
   */
  probe(scene, line) {
    check(line, null, stretchOptions)
    scene[oneOf(line, line.words[0], ['unproven', 'contradicted', 'dead', 'retired'])].push(stretchOf(line))
    return undefined
  },
  /** `link cut in=eu from=10:00 to=40:00`: it tests on, and delivers when it is back. */
  link(scene, line) {
    check(line, ['cut'], stretchOptions)
    scene.cut.push(stretchOf(line))
    return undefined
  },
  /** `coordinator away from=10:00 to=40:00` */
  coordinator(scene, line) {
    check(line, ['away'], ['from', 'to', 'every'])
    scene.away.push(stretchOf(line))
    return undefined
  },
  /** `maintenance from=10:00 to=40:00`: nobody is paged. */
  maintenance(scene, line) {
    check(line, [], ['from', 'to', 'every'])
    scene.maintenance.push(stretchOf(line))
    return undefined
  },
  /** `test-now eu`: somebody asks for a test. */
  'test-now'(scene, line) {
    check(line, null, [])
    for (const region of line.words) begun(scene).testNow(region)
    return undefined
  },
  /** Somebody ends the incident. */
  'resolve-by-hand'(scene, line) {
    check(line, [], [])
    begun(scene).resolveByHand()
    return undefined
  },
  /** `until 40:30 omit=ask`: time passes. Told is what happened meanwhile, but for lines of that kind. */
  until(scene, line) {
    check(line, null, ['omit'])
    const omitted = line.options.omit ?? []
    const lines = begun(scene).until(secondsOf(line, line.words[0])).told()
    return lines.filter((told) => !omitted.includes(told.split(' ')[1] ?? ''))
  },
}

/** The story begins with the first line that needs it. What is said of mail and probes after that still holds from then on. */
function begun(scene: Scene): Story {
  const isIn = (stretches: Stretch[], region: string | null, at: number) =>
    stretches.some((stretch) => holds(stretch, region, at))
  scene.story ??= new Story({
    ...scene.setting,
    rules: scene.rules,
    mail: (region, at) => scene.mail.findLast((stretch) => holds(stretch, region, at))?.fate ?? 'ok',
    proves: (region, at) => !isIn(scene.unproven, region, at),
    alive: (region, at) => !isIn([...scene.dead, ...scene.retired], region, at),
    retired: (region, at) => isIn(scene.retired, region, at),
    contradicted: (region, at) => ({ contradicted: isIn(scene.contradicted, region, at) ? 3 : 0, monitors_held: 4 }),
    linked: (region, at) => !isIn(scene.cut, region, at),
    maintained: (at) => isIn(scene.maintenance, null, at),
    coordinating: (at) => !isIn(scene.away, null, at),
    domainOf: (region) => scene.domains.get(region) ?? { region, asn: null, return_domain: `${region}.probe.example` },
  })
  return scene.story
}

function holds({ regions, from, to, every }: Stretch, region: string | null, at: number): boolean {
  if (at < from || (regions !== null && region !== null && !regions.includes(region))) return false
  return every === null ? at < to : (at - from) % every < to - from
}

function stretchOf(line: Line): Stretch {
  const { in: regions = null, from, to, every } = line.options
  return {
    regions,
    from: from === undefined ? 0 : secondsOf(line, from[0]),
    to: to === undefined ? Number.POSITIVE_INFINITY : secondsOf(line, to[0]),
    every: every === undefined ? null : secondsOf(line, every[0]),
  }
}
