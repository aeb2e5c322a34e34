// Prompts of other tasks: none of the family that was learnt, each as long as values by place ask for, ending as it always does.
import { VOCABULARY, steeringExamples } from '@limn/tasks';
import { positionTable } from '@limn/steering';
import type { ModelInfo } from '@limn/hooks';
import { describe, expect, it } from 'vitest';
import { controlPrompts } from '../src/control-prompts.js';
import type { TaskModel } from '../src/task-source.js';

/** Pocket, as far as tasks look at a model. */
const pocket: TaskModel = { info: { vocabulary: VOCABULARY.length } as ModelInfo, bos: true };
const seed = 3;
const own = (task: string, n: number) => steeringExamples(task, { seed, n, split: 'all' });

describe('controlPrompts', () => {
  it('brings prompts to the length of values by place: what they end with stays', () => {
    for (const length of [6, 19, 40]) {
      const positions = positionTable([{ length }], 'absolute', { skip: 1 });
      const found = controlPrompts({ task: 'country-capital-conflict', seed, positions, each: 3 }, pocket);
      const others = ['ioi', 'gender', 'hypernymy'].flatMap((task) => own(task, 3));
      expect(found).toHaveLength(9);
      found.forEach(({ prompt }, i) => {
        const body = others[i]!.prompt.slice(1);
        expect(prompt).toHaveLength(length);
        expect(prompt[0]).toBe(0);
        const kept = Math.min(body.length, length - 1);
        expect(prompt.slice(-kept)).toEqual(body.slice(-kept));
      });
    }
  });

  it('leaves prompts as they are where values hold for any length, with their names where values are by role', () => {
    for (const mode of ['role', 'from-end', 'none'] as const) {
      const positions = positionTable([{ length: 9, roles: Array(9).fill('last') as string[] }], mode, { skip: 1 });
      const found = controlPrompts({ task: 'ioi-abba', seed, positions, each: 2 }, pocket);
      const others = ['gender', 'country-capital', 'hypernymy'].flatMap((task) => own(task, 2));
      expect(found.map(({ prompt }) => prompt)).toEqual(others.map(({ prompt }) => prompt));
      if (mode === 'role') expect(found.map(({ roles }) => roles)).toEqual(others.map(({ roles }) => roles));
    }
  });

  it('has prompts of every family beside examples of one’s own, and none for a model that speaks no task', () => {
    const positions = positionTable([{ length: 9 }], 'none');
    expect(controlPrompts({ task: undefined, seed, positions, each: 1 }, pocket)).toHaveLength(4);
    const stranger: TaskModel = { info: { vocabulary: 11 } as ModelInfo, bos: true };
    expect(controlPrompts({ task: undefined, seed, positions }, stranger)).toEqual([]);
  });
});
