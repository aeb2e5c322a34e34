// `limn steer` with transcoders in the MLPs' places: learnt on the model as it then is, applied to it, and recorded.
import { steeringFromJson } from '@limn/report';
import { readSteering } from '@limn/steering';
import { expect, it } from 'vitest';
import { featuresRuns, randomMember } from './features-runs.js';
import { runLimn } from './run-limn.js';
import { failed, steerRuns } from './steer-runs.js';

interface Applied {
  readonly results: readonly { readonly top: readonly { readonly id: number; readonly probability: number }[] }[];
}

it('a steering is learnt, applied and recorded with MLPs replaced', async () => {
  const [runs, features] = [steerRuns(), await featuresRuns()];
  await features.writeSet('replacing', [randomMember(8, 0), randomMember(8, 1)]);
  const replaced = ['--transcoders', features.at('replacing'), '--replace', '1'];
  const learn = (out: string, ...more: string[]) =>
    runLimn(runs.words(out, '--updates', '8', '--minimality', '0', ...more));
  const [plain, own] = [await learn('mlps'), await learn('replaced', ...replaced)];
  expect([plain.exitCode, own.exitCode], plain.stderr + own.stderr).toEqual([0, 0]);
  const record = steeringFromJson(runs.file('replaced', 'result.json'));
  expect(record.provenance.model.weightProcessing).toMatch(/^MLPs of layers 1 by dictionaries [0-9a-f]{12}$/);
  expect(record.provenance.commandLine).toContain('--replace 1');
  // The same words teach other values, since the model is another.
  const values = (out: string) => readSteering(runs.file(out)).values.places;
  expect(values('replaced')).not.toEqual(values('mlps'));
  const apply = async (...more: string[]): Promise<Applied['results']> => {
    const asked = ['steer', 'apply', '--model', runs.model, '--steering', runs.at('replaced'), '--json'];
    const outcome = await runLimn([...asked, '--tokens', '1,2,4,9', '--strength=0,1', '--top', '11', ...more]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    return (outcome.json() as unknown as Applied).results;
  };
  const shares = ([still, moved]: Applied['results']) => {
    const of = (i: number) => [still, moved][i]!.top.find(({ id }) => id === 8)!.probability;
    return [of(0), of(1)] as const;
  };
  const [there, here] = [shares(await apply(...replaced)), shares(await apply())];
  // What was learnt to favour token 8 does so where it was learnt; at strength 0 the two models differ.
  expect(there[1]).toBeGreaterThan(there[0]);
  expect(Math.abs(there[0] - here[0])).toBeGreaterThan(1e-6);
  expect((await failed(runs.words('refused', '--replace', '1'))).slice(0, 2)).toEqual([2, 'usage/dictionary-replace']);
});
