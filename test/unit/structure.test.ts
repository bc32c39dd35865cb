/** The house rules of ARCHITECTURE.md, kept by a test: who may import whom, and where clocks, randomness, settings and SQL may stand. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const parts = ['common', 'coordinator', 'probe', 'responder']

const sources = parts.flatMap((part) =>
  readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => join(part, file)),
)

type Import = { file: string; target: string }
const imports: Import[] = sources.flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8')
  return [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from '([^']+)'|\bimport\('([^']+)'\)|(?:^|\n)import '([^']+)'/g),
  ].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? ''
    return { file, target: name.startsWith('.') ? normalize(join(dirname(file), name)) : name }
  })
})

/** What is delivered beside the parts, and what tries them: no part may need it. */
const beside = ['bin', 'test']
const isOurs = (target: string) => [...parts, ...beside].some((part) => target.startsWith(`${part}/`))
const isNpm = (target: string) => !isOurs(target) && !target.startsWith('node:')
const linesWith = (pattern: RegExp, except: (file: string) => boolean) =>
  sources
    .filter((file) => !except(file))
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          pattern.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line) ? [`${file}:${index + 1} ${line.trim()}`] : [],
        ),
    )
const show = ({ file, target }: Import) => `${file} → ${target}`

test('the sources are found', () => {
  expect(sources.length).toBeGreaterThan(60)
  expect(imports.length).toBeGreaterThan(200)
})

test('common imports no part, no part imports another, and none imports tests or scripts', () => {
  const foreign = imports.filter(({ file, target }) => {
    const [part] = file.split('/')
    return isOurs(target) && !target.startsWith('common/') && !target.startsWith(`${part}/`)
  })
  expect(foreign.map(show)).toEqual([])
})

test('the responder, and all that it imports, needs no npm package', () => {
  const reached = new Set(sources.filter((file) => file.startsWith('responder/')))
  for (const file of reached)
    for (const { target } of imports.filter((entry) => entry.file === file)) if (isOurs(target)) reached.add(target)
  expect(imports.filter(({ file, target }) => reached.has(file) && isNpm(target)).map(show)).toEqual([])
})

test('common/mail is pure: it imports nothing but itself, common/errors and node:crypto', () => {
  const allowed = (target: string) =>
    /^common\/(mail\/|errors\.ts|limits\.ts|durations\.ts)/.test(target) || target === 'node:crypto' || target === 'node:buffer'
  expect(imports.filter(({ file, target }) => file.startsWith('common/mail/') && !allowed(target)).map(show)).toEqual([])
})

test('the core decides without I/O: it imports itself, plain parts of common, and a hash', () => {
  const allowed = (target: string) =>
    /^(coordinator\/core\/|common\/(durations|limits|timetable|errors)\.ts|common\/wire\/test\.ts)/.test(target) ||
    target === 'node:crypto'
  expect(imports.filter(({ file, target }) => file.startsWith('coordinator/core/') && !allowed(target)).map(show)).toEqual([])
})

test('the pure parts of probe and responder import no I/O', () => {
  const pure = ['probe/round-trip.ts', 'probe/timetable.ts', 'responder/reply.ts']
  const io = /^node:(fs|net|tls|dns|child_process|http|https|dgram|sqlite)|^(ws|nodemailer|imapflow|smtp-server|pino)$/
  expect(pure.every((file) => sources.includes(file))).toBe(true)
  expect(imports.filter(({ file, target }) => pure.includes(file) && io.test(target)).map(show)).toEqual([])
})

test('the clock and randomness are read in common/runtime only', () => {
  const drawn =
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(|\bprocess\.hrtime|\brandomUUID\(|(?<![.\w])randomBytes\((?!length)/
  const own = (file: string) => file === 'common/runtime.ts' || file.startsWith('coordinator/web/')
  expect(linesWith(drawn, own)).toEqual([])
})

test('settings are read through config: process.env stands only in the mains', () => {
  const mains = (file: string) => /^(coordinator|probe|responder)\/main\.ts$/.test(file)
  expect(linesWith(/\bprocess\.env\b/, mains)).toEqual([])
})

test('SQL stands in coordinator/store only', () => {
  const statement = /\bsql(<[^`]*>)?`/
  const allowed = (file: string) => file.startsWith('coordinator/store/')
  expect(linesWith(statement, allowed)).toEqual([])
})

test('migrations are numbered one after the other, each number once', () => {
  const names = readdirSync(join(root, 'coordinator/store/migrations')).toSorted()
  expect(names.map((name) => Number(name.slice(0, 4)))).toEqual(names.map((_, index) => index + 1))
})
