// The study of DIT: hundreds of weight diffs of pocket-chat, adapters that read them, and everything that has to be told apart from reading; writes docs/dit.md and
// its drawings. It goes on where it stopped, from --work: packs, checkpoints of adapters, and what was measured in --out.
// npm run dit -- --work DIR [--base pocket-chat --base DIR …] [--out DIR --page FILE]
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { chatWorld } from '@limn/tasks/chat';
import { POCKET_CHAT, openModel, version } from 'limn';
import { CURVE, curveDrawing } from './dit/drawing.mjs';
import { ditMarkdown } from './dit/markdown.mjs';
import { commandFigures } from './dit/commands.mjs';
import {
  coreRequests,
  measureAdapter,
  measureBase,
  measurePacks,
  packRequests,
  type AdapterRequest,
  type Laboratory,
} from './dit/measure.mjs';
import { trainedPack } from './dit/packs.mjs';
import { CORE_PACKS, FULL, type PackPlan } from './dit/plan.mjs';
import type { AdapterFinding, DitStudy } from './dit/study.mjs';
import { knownDiffs, type KnownDiff } from './dit/truth.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    base: { type: 'string', multiple: true, default: [POCKET_CHAT] },
    out: { type: 'string', default: RESULTS },
    page: { type: 'string', default: path.join(import.meta.dirname, '../docs/dit.md') },
  },
});
if (options.work === undefined) throw new Error('--work DIR says where diffs and checkpoints go');
const { work } = options;
const plan = FULL;

const gpu = await openNodeGpu({ label: 'dit' });
const { adapter, source } = gpu.capabilities;
const header = {
  study: 'limn.dit',
  version: 1,
  adapter: adapter.description || adapter.device,
  limn: version,
  plan,
} as const;
const file = path.join(options.out, `dit-${adapterName(source, header.adapter)}.json`);
let study: DitStudy = keptOf(file) ?? { ...header, bases: [], packs: [], adapters: [], commands: [] };
const world = chatWorld();

for (const [place, name] of options.base.entries()) {
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
      trained[pack] = knownDiffs(await trainedPack(name, path.join(folder, pack), asked, plan), world);
    }
  };
  const lab: Laboratory = { name, model, packs: trained, world, plan, work: path.join(folder, 'adapters') };
  const learn = async (requests: readonly AdapterRequest[]): Promise<void> => {
    for (const request of requests) {
      const isThis = (each: AdapterFinding): boolean =>
        each.model === name && each.name === request.name && each.seed === request.seed;
      if (!study.adapters.some(isThis))
        keep({ ...study, adapters: [...study.adapters, await measureAdapter(lab, request)] });
    }
  };
  await train(CORE_PACKS);
  if (study.commands.every(isOther))
    keep({ ...study, commands: [...study.commands, commandFigures(name, folder, plan)] });
  if (study.bases.every(isOther)) keep({ ...study, bases: [...study.bases, await measureBase(lab, weightsSha256)] });
  await learn(coreRequests(plan, place === 0));
  if (place === 0) await train(Object.keys(plan.packs));
  await learn(packRequests(plan, place === 0));
  if (study.packs.every(isOther)) keep({ ...study, packs: [...study.packs, await measurePacks(lab)] });
  close();
}
save(options.page, ditMarkdown(study));
save(path.join(path.dirname(options.page), CURVE), curveDrawing(study));
console.log(`written to ${path.relative(process.cwd(), file)} and ${path.relative(process.cwd(), options.page)}`);
gpu.dispose();

function keep(next: DitStudy): void {
  study = next;
  save(file, `${JSON.stringify(study)}\n`);
}

/** What an earlier run measured with the same settings on the same machine. */
function keptOf(name: string): DitStudy | undefined {
  if (!existsSync(name)) return undefined;
  const kept = JSON.parse(readFileSync(name, 'utf8')) as DitStudy;
  const same = Object.entries(header).every(([key, value]) => isDeepStrictEqual(kept[key as keyof DitStudy], value));
  return same ? kept : undefined;
}
