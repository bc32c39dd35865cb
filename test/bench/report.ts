/** A row of the benchmark: our figure beside a floor or a peer measured in the same run (DESIGN 7). */

export type Row = {
  row: string
  ours: number
  floor: number
  /** ours / floor */
  ratio: number
  /** What the ratio should be, in words. */
  goal: string
  met: boolean
  unit: string
  runs: number
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

export function print(rows: readonly Row[], asJson: boolean): void {
  if (asJson) {
    for (const row of rows) console.log(JSON.stringify(row))
    return
  }
  for (const { row, ours, floor, ratio, goal, met, unit, runs } of rows) {
    console.log(
      `${row.padEnd(24)} ours ${show(ours)} ${unit}, floor ${show(floor)} ${unit}, ratio ${ratio.toFixed(3)}  goal: ${goal}  ${met ? 'met' : 'NOT met'}  (median of ${runs})`,
    )
  }
}

const show = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3))
