// The whole study: packs, adapters and baselines of every base model, kept in a file after each step, so that a run goes on where the one before it stopped.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Gpu } from '@limn/gpu';
import type { ChatWorld } from '@limn/tasks/chat';
import type { HookedModel } from '@limn/hooks';
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
  const { adapter, source } = gpu.capabilities;
  const header = {
    study: 'limn.dit',
    version: 1,
    adapter: adapter.description || adapter.device,
    limn: version,
    plan: FULL,
  } as const;
  const file = path.join(out, `dit-${adapterName(source, header.adapter)}.json`);
  const none: DitStudy = { ...header, bases: [], packs: [], adapters: [], commands: [] };
  const findings = new Findings(keptStudy<DitStudy>(file, header) ?? none, file);
  for (const [place, name] of bases.entries()) {
    const { hooked: model, [Symbol.dispose]: close } = await openModel(gpu, name);
    findings.onTheseWeights(name, model.info.fingerprint);
    await studyBase(model, { name, folder: path.join(work, path.basename(name)), first: place === 0 }, world, findings);
    close();
  }
  return { study: findings.study, file };
}

/** What is found so far, in a file after every step. */
class Findings {
  constructor(
    public study: DitStudy,
    private readonly file: string,
  ) {}

  keep(next: Partial<DitStudy>): void {
    this.study = { ...this.study, ...next };
    save(this.file, `${JSON.stringify(this.study)}\n`);
  }

  /** Whether there is nothing yet of a base model. */
  isLeft(of: 'bases' | 'packs' | 'commands', name: string): boolean {
    return this.study[of].every(({ model }) => model !== name);
  }

  isLearnt(name: string, request: AdapterRequest): boolean {
    return this.study.adapters.some(
      (each) => each.model === name && each.name === request.name && each.seed === request.seed,
    );
  }

  /** Drops what was measured of other weights of this name. */
  onTheseWeights(name: string, weightsSha256: string): void {
    const measured = this.study.bases.find(({ model }) => model === name);
    if (!measured || measured.weightsSha256 === weightsSha256) return;
    const others = <F extends { readonly model: string }>(of: readonly F[]): F[] =>
      of.filter(({ model }) => model !== name);
    const { bases, packs, adapters, commands } = this.study;
    this.study = {
      ...this.study,
      bases: others(bases),
      packs: others(packs),
      adapters: others(adapters),
      commands: others(commands),
    };
  }
}

/** A base model's packs, methods and adapters, as far as they are not in the findings; no pack is opened that nothing asks for. */
async function studyBase(
  model: HookedModel,
  { name, folder, first }: { readonly name: string; readonly folder: string; readonly first: boolean },
  world: ChatWorld,
  findings: Findings,
): Promise<void> {
  const { plan } = findings.study;
  mkdirSync(folder, { recursive: true });
  const packs: Record<string, readonly KnownDiff[]> = {};
  const lab: Laboratory = { name, model, packs, world, plan, work: path.join(folder, 'adapters') };
  const train = async (names: readonly string[]): Promise<void> => {
    for (const pack of names) {
      const asked = plan.packs[pack] as PackPlan;
      packs[pack] ??= knownDiffs(await trainedPack(name, path.join(folder, pack), asked, plan), world);
    }
  };
  const learn = async (requests: readonly AdapterRequest[]): Promise<void> => {
    for (const request of requests)
      if (!findings.isLearnt(name, request))
        findings.keep({ adapters: [...findings.study.adapters, await measureAdapter(lab, request)] });
  };
  const [core, rest] = [coreRequests(plan, first), packRequests(plan, first)];
  const isLearnt = (requests: readonly AdapterRequest[]): boolean =>
    requests.every((request) => findings.isLearnt(name, request));
  const isLeft = (of: 'bases' | 'packs' | 'commands'): boolean => findings.isLeft(of, name);

  if (isLeft('commands') || isLeft('bases') || !isLearnt(core)) await train(CORE_PACKS);
  if (isLeft('commands'))
    findings.keep({ commands: [...findings.study.commands, await commandFigures(name, folder, plan)] });
  if (isLeft('bases'))
    findings.keep({ bases: [...findings.study.bases, await measureBase(lab, model.info.fingerprint)] });
  await learn(core);
  if (isLeft('packs') || !isLearnt(rest)) await train(first ? Object.keys(plan.packs) : CORE_PACKS);
  if (isLeft('packs')) findings.keep({ packs: [...findings.study.packs, await measurePacks(lab)] });
  await learn(rest);
}
