/** What the lines of a transcript of paging do: they set the scene, let incidents begin and end and time pass, and tell who was told. */
import { type PagingSetting, PagingStory, type Way } from './paging-story.ts'
import { asTold, check, type Line, oneOf, type Step, secondsOf, type Transcript } from './transcript.ts'

type Scene = {
  setting: Omit<PagingSetting, 'wayOf'>
  ways: { name: string; way: Way; from: number; to: number }[]
  story: PagingStory | null
}

/** Plays one story; returns what each step told that is to be compared. */
export async function playPagingTranscript({ steps }: Transcript): Promise<Map<Step, string[]>> {
  const setting = { monitors: ['m1'], watched: 1, steps: [{ after_s: 0, who: 'Alice' }], repeat: 0, maintenance: [] }
  const scene: Scene = { setting, ways: [], story: null }
  const told = new Map<Step, string[]>()
  for (const step of steps) {
    const play = directives[step.directive]
    if (play === undefined) throw new Error(`${step.at}: no directive is called ${step.directive}`)
    const lines = await play(scene, step)
    if ((lines === undefined) !== (step.expected === null)) {
      throw new Error(`${step.at}: ${step.directive} ${lines === undefined ? 'tells nothing' : 'needs ---- and what it tells'}`)
    }
    if (lines !== undefined) told.set(step, asTold(lines))
  }
  return told
}

const decided = ['down', 'unconfirmed', 'confirmed', 'past', 'returning', 'failing', 'resolved', 'acknowledged'] as const

const directives: Record<string, (scene: Scene, line: Line) => Promise<string[] | undefined>> = {
  /** `fleet m1 m2 m3 watched=40`: these monitors, each of a mail domain of its own, of so many that are watched. */
  async fleet({ setting }, line) {
    check(line, null, ['watched'])
    setting.monitors = line.words
    setting.watched = Number(line.options.watched?.[0] ?? line.words.length)
    return undefined
  },
  /** `policy Alice Bob after=(0:00,10:00) repeat=1`: each is a step of its own; once the story has begun, it is changed. */
  async policy({ setting, story }, line) {
    check(line, null, ['after', 'repeat'])
    const after = line.options.after ?? []
    setting.steps = line.words.map((who, index) => ({ who, after_s: secondsOf(line, after[index] ?? '0:00') }))
    setting.repeat = Number(line.options.repeat?.[0] ?? 0)
    await story?.changePolicy(setting)
    return undefined
  },
  /** `gateway first silent from=0:00 to=10:00`; otherwise both take what they are given. */
  async gateway({ ways }, line) {
    check(line, null, ['from', 'to'])
    const [name = '', way] = line.words
    ways.push({ name, way: oneOf(line, way, ['takes', 'silent', 'away', 'refuses']), ...spanOf(line) })
    return undefined
  },
  /** `maintenance from=0:00 to=30:00`, of all monitors. */
  async maintenance({ setting }, line) {
    check(line, [], ['from', 'to'])
    setting.maintenance = [...setting.maintenance, spanOf(line)]
    return undefined
  },
  /**
   * `now down m1 m2`: the judgement decides so, or (`acknowledged`) a person does. `returning`: the votes pass, and the all-clear
   * waits; `failing`: they do so no longer.
   */
  async now(scene, line) {
    check(line, null, [])
    const [what, ...names] = line.words
    for (const name of names) await begun(scene).does(oneOf(line, what, decided), name)
    return undefined
  },
  /** `until 40:30`: time passes. */
  async until(scene, line) {
    check(line, null, [])
    return (await begun(scene).until(secondsOf(line, line.words[0]))).told()
  },
}

function begun(scene: Scene): PagingStory {
  const wayOf = (gateway: string, at: number): Way =>
    scene.ways.findLast(({ name, from, to }) => name === gateway && at >= from && at < to)?.way ?? 'takes'
  scene.story ??= new PagingStory({ ...scene.setting, wayOf })
  return scene.story
}

function spanOf(line: Line): { from: number; to: number } {
  const { from, to } = line.options
  return {
    from: from === undefined ? 0 : secondsOf(line, from[0]),
    to: to === undefined ? Number.POSITIVE_INFINITY : secondsOf(line, to[0]),
  }
}
