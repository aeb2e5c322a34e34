// `limn steer train` on tasks in pocket's words: a flip by roles, and a parity that keeps what is given.
import path from 'node:path';
import { steeringFromJson } from '@limn/report';
import { readSteering } from '@limn/steering';
import { describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { failed, steerRuns } from './steer-runs.js';

const runs = steerRuns();

describe('a steering of pocket', () => {
  const onPocket = (...more: readonly string[]) => {
    const places = ['--sites', 'hook_mlp_out', '--layers', '1', '--updates', '2'];
    return runLimn([
      'steer',
      'train',
      '--model',
      'pocket',
      ...places,
      '--json',
      '--out',
      path.join(runs.root, 'task'),
      ...more,
    ]);
  };

  it('learns a task in pocket’s words', async () => {
    const flip = await onPocket('--task', 'ioi-abba', '--examples', '60', '--positions', 'role');
    expect(flip.exitCode, flip.stderr).toBe(0);
    const { provenance, values } = readSteering(runs.file('task'));
    expect(provenance.tokens?.at(-1)?.trim()).toBe('to');
    expect(values.spec.positions).toMatchObject({ mode: 'role', skip: 1 });
    expect(values.spec.positions.names).toContain('last');
  });

  it('learns a parity that keeps what is given', async () => {
    const parity = await onPocket(
      '--task',
      'gender',
      '--examples',
      '20',
      '--objective',
      'parity',
      '--positions',
      'from-end',
    );
    expect(parity.exitCode, parity.stderr).toBe(0);
    expect(readSteering(runs.file('task')).provenance.objective).toMatchObject({ goal: { kind: 'parity' } });
    const { parity: found } = steeringFromJson(runs.file('task', 'result.json'));
    expect([found!.answers!.first.trim(), found!.answers!.second.trim()].sort()).toEqual(['he', 'she']);
    // Of 12 frames with both pronouns each, two fifths are not learnt from.
    expect(found!.retention).toMatchObject({ learnt: false, rightBefore: 1 });
    expect(found!.retention!.prompts).toHaveLength(10);
    expect(found!.spillover.map(({ name }) => name)).toEqual(['man, woman behind the same prompts']);
  });

  it('is refused beside another model, and beside two sources of prompts', async () => {
    const words = ['steer', 'compare', runs.at('task'), '--data', runs.data, '--json', '--model'];
    expect((await failed([...words, runs.model])).slice(0, 2)).toEqual([4, 'data/steering-fingerprint']);
    expect((await failed([...words, 'pocket', '--task', 'ioi'])).slice(0, 2)).toEqual([2, 'usage/steering-data']);
  });
});
