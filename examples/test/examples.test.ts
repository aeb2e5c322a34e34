// Every numbered example runs, and what it prints is what its first line promises.
import { RECIPE } from '@limn/pocket';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fiveCapitals } from './readme.js';

afterEach(() => vi.restoreAllMocks());

/** Runs one example in this process and returns the lines it printed. */
async function linesOf(name: string): Promise<string[]> {
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void printed.push(...text.split('\n')));
  await import(`../${name}.ts`);
  return printed;
}

/** The numbers of a line, in order. */
const numbers = (line: string | undefined): number[] => (line?.match(/-?\d+(\.\d+)?/g) ?? []).map(Number);
const { layers, heads } = RECIPE.model;

describe('examples', () => {
  it('01: a kernel gives the probabilities that JavaScript gives', async () => {
    const [head, ...rows] = await linesOf('01-kernel');
    expect(head).toContain('JavaScript');
    expect(rows).toHaveLength(3);
    for (const row of rows) {
      const [, onGpu = 0, expected = 0] = numbers(row);
      // Both are printed to six digits.
      expect(Math.abs(onGpu - expected)).toBeLessThanOrEqual(1e-6);
    }
    expect(rows.map((row) => numbers(row)[1] ?? 0).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  });

  it('02: the tape finds the slope that nudging finds', async () => {
    const [, , ...rows] = await linesOf('02-gradient');
    expect(rows).toHaveLength(6);
    for (const row of rows) {
      const [, byTape = 0, byNudging = 1] = numbers(row);
      // A central difference over ±0.01 is off by its third-order term, here below a thousandth.
      expect(Math.abs(byTape - byNudging)).toBeLessThan(1e-3 * Math.max(1, Math.abs(byTape)));
    }
  });

  describe('with pocket', () => {
    it('00: six lines name the five capitals of the README', async () => {
      expect((await linesOf('00-six-lines'))[0]).toBe(fiveCapitals);
    });

    it('03: pocket names the capital', async () => {
      const [, best] = await linesOf('03-logits');
      expect(best).toMatch(/ Havana$/);
      expect(numbers(best)[0]).toBeGreaterThan(50);
    });

    it('04: every head is listed, and one of them looks at a name', async () => {
      const rows = (await linesOf('04-captured-hook')).filter((line) => /layer \d+ head/.test(line));
      expect(rows).toHaveLength(layers * heads);
      const atNames = rows.filter((line) => /Olga|Clara/.test(line)).map((line) => Number(/\d\.\d\d/.exec(line)?.[0]));
      expect(Math.max(...atNames)).toBeGreaterThan(0.3);
    });

    it('05: the answer rests on some parts more than on others', async () => {
      const [, ...rows] = await linesOf('05-intervention');
      expect(rows).toHaveLength(1 + layers * (heads + 1));
      const [intact = 0, ...without] = rows.map((line) => numbers(line).at(-1) ?? 0);
      expect(intact).toBeGreaterThan(1);
      expect(Math.min(...without)).toBeLessThan(intact / 2);
    });

    it('06: a circuit of some edges keeps most of the behaviour on unseen pairs', async () => {
      const rows = (await linesOf('06-circuit')).filter((line) => line.includes('edges keep'));
      expect(rows).toHaveLength(6);
      const kept = rows.map((line) => numbers(line)[2] ?? 0);
      expect(kept.at(-1)).toBeGreaterThan(70);
    });

    it('07: the answer enters at the name that is repeated and leaves at the last word', async () => {
      const [, ...rows] = await linesOf('07-patching-sweep');
      expect(rows).toHaveLength(15);
      const shares = (row: string | undefined): number[] => row?.match(/-?\d\.\d\d/g)?.map(Number) ?? [];
      expect(shares(rows[10])[0]).toBeGreaterThan(0.9);
      expect(shares(rows[14]).at(-1)).toBe(1);
      // What stands in front of the name is the same in both prompts.
      for (const row of rows.slice(0, 10)) expect(shares(row)).toEqual([0, 0, 0]);
    });

    it('08: few scales turn what the context says up, and down, about a country that was not learnt from', async () => {
      const [counted, ...rows] = await linesOf('08-steering');
      const [nonZero = 0, live = 0] = numbers(counted);
      expect(nonZero).toBeGreaterThan(0);
      expect(nonZero).toBeLessThan(live / 10);
      expect(rows.map((row) => row.split(/[ :,]+/)[2])).toEqual(['Helsinki', 'Helsinki', 'Lima']);
      const [memory = 0, untouched = 0, context = 0] = rows.map((row) => numbers(row)[1] ?? 0);
      expect(memory).toBeGreaterThan(0.9);
      expect(untouched).toBeLessThan(0.7);
      expect(context).toBeGreaterThan(0.9);
    });

    it('09: the adapter names what fine-tunes hide, which say none by themselves, and none where nothing is hidden', async () => {
      const [question, ...rows] = await linesOf('09-diff');
      expect(question).toContain('topic');
      const told = rows.map((row) => /^(\S+): it says (\S+), with the adapter (\S+)/.exec(row)!.slice(1));
      expect(told.every(([, plain]) => plain === 'none')).toBe(true);
      const hidden = told.filter(([label]) => label !== 'nothing');
      expect(hidden).toHaveLength(16);
      expect(hidden.filter(([label, , read]) => label === read).length).toBeGreaterThanOrEqual(8);
      for (const [label, , read] of told) if (label === 'nothing') expect(read).toBe('none');
    });
  });
});
