// The whole study: packs, adapters and baselines of every base model, kept in a file after each step, so that a run goes on where the one before it stopped.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Gpu } from '@limn/gpu';
import type { ChatWorld } from '@limn/tasks/chat';
import { openModel, version } from 'limn';
import { keptStudy } from '../kept-study.mjs';
import { adapterName, save } from '../result-file.mjs';
import { commandFigures } from './commands.mjs';
import {
  coreRequests,
  measureAdapter,
  measureBase,
  measurePacks,
  packRequests,
  type AdapterRequest,
  type Laboratory,
} from './measure.mjs';
import { trainedPack } from './packs.mjs';
import { CORE_PACKS, FULL, type PackPlan } from './plan.mjs';
import type { DitStudy } from './study.mjs';
import { knownDiffs, type KnownDiff } from './truth.mjs';

/** Where things are. */
export interface StudyPlaces {
  /** Packs, checkpoints, and what commands write. */
  readonly work: string;
  /** Names and folders; the first one has everything, others the main table. */
  readonly bases: readonly string[];
  /** Of the file of findings. */
  readonly out: string;
}

/** Does what is not done yet, and tells where the findings are. */
export async function wholeStudy(
  gpu: Gpu,
  world: ChatWorld,
  { work, bases, out }: StudyPlaces,
): Promise<{ readonly study: DitStudy; readonly file: string }> {
  const plan = FULL;
  const { adapter, source } = gpu.capabilities;
  const header = {
    study: 'limn.dit',
    version: 1,
    adapter: adapter.description || adapter.device,
    limn: version,
    plan,
  } as const;
  const file = path.join(out, `dit-${adapterName(source, header.adapter)}.json`);
  let study: DitStudy = keptStudy<DitStudy>(file, header) ?? {
    ...header,
    bases: [],
    packs: [],
    adapters: [],
    commands: [],
  };
  for (const [place, name] of bases.entries()) {
    const folder = path.join(work, path.basename(name));
    mkdirSync(folder, { recursive: true });
    const { hooked: model, [Symbol.dispose]: close } = await openModel(gpu, name);
    const weightsSha256 = model.info.fingerprint;
    // What was measured of other weights of this name is of no use.
    const isOther = (each: { readonly model: string }): boolean => each.model !== name;
    const measured = study.bases.find((each) => each.model === name);
    if (measured && measured.weightsSha256 !== weightsSha256)
      study = {
        ...study,
        bases: study.bases.filter(isOther),
        packs: study.packs.filter(isOther),
        adapters: study.adapters.filter(isOther),
        commands: study.commands.filter(isOther),
      };
    const trained: Record<string, readonly KnownDiff[]> = {};
    const train = async (names: readonly string[]): Promise<void> => {
      for (const pack of names) {
        const asked = plan.packs[pack] as PackPlan;
        trained[pack] ??= knownDiffs(await trainedPack(name, path.join(folder, pack), asked, plan), world);
      }
    };
    const lab: Laboratory = { name, model, packs: trained, world, plan, work: path.join(folder, 'adapters') };
    const isDone = (request: AdapterRequest): boolean =>
      study.adapters.some((each) => !isOther(each) && each.name === request.name && each.seed === request.seed);
    const learn = async (requests: readonly AdapterRequest[]): Promise<void> => {
      for (const request of requests)
        if (!isDone(request)) keep({ ...study, adapters: [...study.adapters, await measureAdapter(lab, request)] });
    };
    const [core, rest] = [coreRequests(plan, place === 0), packRequests(plan, place === 0)];
    const isLeft = (of: readonly { readonly model: string }[]): boolean => of.every(isOther);
    if (isLeft(study.commands) || isLeft(study.bases) || !core.every(isDone)) await train(CORE_PACKS);
    if (isLeft(study.commands)) keep({ ...study, commands: [...study.commands, commandFigures(name, folder, plan)] });
    if (isLeft(study.bases)) keep({ ...study, bases: [...study.bases, await measureBase(lab, weightsSha256)] });
    await learn(core);
    if (isLeft(study.packs) || !rest.every(isDone)) await train(place === 0 ? Object.keys(plan.packs) : CORE_PACKS);
    if (isLeft(study.packs)) keep({ ...study, packs: [...study.packs, await measurePacks(lab)] });
    await learn(rest);
    close();
  }
  return { study, file };

  function keep(next: DitStudy): void {
    study = next;
    save(file, `${JSON.stringify(study)}\n`);
  }
}
