// `limn demo` and `limn circuit --task` on pocket: two circuits, one report, and figures that a trained model gives.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseGraphJson } from '@limn/attribution';
import { modelFolder } from '@limn/pocket';
import { recordFromJson } from '@limn/report';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';

const trained = existsSync(fileURLToPath(new URL('model.safetensors', modelFolder())));
let root: string;
beforeAll(() => (root = mkdtempSync(path.join(os.tmpdir(), 'limn-demo-'))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('pocket', () => {
  beforeEach((context) => context.skip(!trained, "pocket's weights are not in this checkout"));

  it('demo finds both circuits and writes one report', async () => {
    const out = path.join(root, 'demo');
    const outcome = await runLimn(['demo', '--pairs', '2', '--eval-pairs', '4', '--out', out]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['greater-than', 'ioi', 'report.html']);
    expect(outcome.stdout).toContain('Greater-than');
    expect(outcome.stdout).toContain(`${out}/report.html`);
    const page = readFileSync(path.join(out, 'report.html'), 'utf8');
    for (const task of ['greater-than', 'ioi']) {
      const record = recordFromJson(readFileSync(path.join(out, task, 'result.json'), 'utf8'));
      expect(page).toContain(record.title);
      // The model card's figures are those of these very weights.
      const { weightsSha256 } = JSON.parse(readFileSync(new URL('figures.json', modelFolder()), 'utf8')) as {
        weightsSha256: string;
      };
      expect(record.provenance.model.weightsSha256).toBe(weightsSha256);
      expect(record.baselines.clean).toBeGreaterThan(record.baselines.corrupted + 0.2);
      const half = record.curves[0]?.points.find(({ fraction }) => fraction >= 0.5);
      // Half of the edges, chosen by score, keep nearly everything of a behaviour that the model has learnt.
      expect(half?.faithfulness).toBeGreaterThan(0.7);
    }
  });

  it('circuit takes a task and counts its pairs', async () => {
    const out = path.join(root, 'task');
    const words = [
      'circuit',
      '--model',
      'pocket',
      '--task',
      'hypernymy',
      '--metric',
      'kl',
      '--pairs',
      '3',
      '--eval-pairs',
      '4',
      '--draws',
      '0',
      '--seed',
      '5',
      '--out',
      out,
    ];
    const outcome = await runLimn(words);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
    expect(record.task).toMatchObject({ name: 'hypernymy', pairs: 4, searchPairs: 3, heldOut: true });
    expect(record.metric.name).toBe('kl');
    expect(outcome.stdout).toMatch(/−kl: 0\.000 on clean prompts, -\d/);
    expect(record.provenance).toMatchObject({ seed: 5, prependBos: null, model: { name: 'pocket' } });
    // The whole graph is the model itself.
    for (const { points } of record.curves) expect(points.at(-1)?.faithfulness).toBeCloseTo(1, 3);
    const { scores, graph } = parseGraphJson(readFileSync(path.join(out, 'graph.json'), 'utf8'));
    for (const { u, v } of graph.edges()) expect(scores.values[graph.dense(u, v)]).not.toBeNaN();
    expect(record.flags.map(({ code }) => code)).toContain('few-pairs');
  });
});
