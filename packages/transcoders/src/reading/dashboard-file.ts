// Dashboards as text, a line for each feature behind a line about all of them: written and read one by one, and checked field by field.
import { CheckedFields } from '@limn/hooks';
import type { ActivationBand, DashboardExample, FeatureDashboard, ScoredTokens, TokenScore } from './dashboard.js';
import type { FeatureOrigin } from './feature-owner.js';

/** The name of the format and of its one version. */
export const DASHBOARDS_FORMAT = 'limn-dashboards/1';

const MOST = Number.MAX_SAFE_INTEGER;
const KINDS = ['transcoder', 'sae', 'cross-layer', 'neurons'] as const;
const fields = new CheckedFields(
  'data/dashboards',
  'The dashboards',
  'Give a file of dashboards that limn wrote, whole and unchanged.',
);

type Fields = Readonly<Record<string, unknown>>;

/**
 * The lines of a file of dashboards, each with its line feed; the first says whose they are. All must be of one owner and the same tokens.
 * @throws LimnError `data/dashboards` for dashboards that do not belong together
 */
export function* writeDashboards(dashboards: Iterable<FeatureDashboard>): Generator<string> {
  let head: string | undefined;
  for (const { origin, tokens, ...rest } of dashboards) {
    const own = JSON.stringify({ format: DASHBOARDS_FORMAT, origin, tokens });
    if (head === undefined) yield `${own}\n`;
    else if (head !== own) throw fields.refuse('origin', own, `that of the dashboards before it, ${head}`);
    head = own;
    yield `${JSON.stringify(rest)}\n`;
  }
}

/**
 * Reads lines, with or without their line feeds, as they come; nothing in them is taken for anything but numbers and text.
 * @throws LimnError `data/dashboards`, naming line and field; what the source of the lines throws
 */
export async function* readDashboards(
  lines: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<FeatureDashboard> {
  let head: Pick<FeatureDashboard, 'origin' | 'tokens'> | undefined;
  const seen = new Set<number>();
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    const entry = fields.parse(line);
    if (!head) {
      fields.oneOf(entry['format'], 'format', [DASHBOARDS_FORMAT]);
      head = { origin: originFrom(entry['origin']), tokens: fields.whole(entry['tokens'], 'tokens', 1, MOST) };
      continue;
    }
    const dashboard = dashboardFrom(entry, head, `line ${number}`);
    if (seen.has(dashboard.feature))
      throw fields.refuse(`line ${number}.feature`, dashboard.feature, 'a feature that has no line yet');
    seen.add(dashboard.feature);
    yield dashboard;
  }
  if (!head) throw fields.refuse('the file', '', 'a line about its dashboards, and a line for each');
}

function originFrom(value: unknown): FeatureOrigin {
  const origin = fields.record(value, 'origin');
  return {
    kind: fields.oneOf(origin['kind'], 'origin.kind', KINDS),
    layer: fields.whole(origin['layer'], 'origin.layer', 0, MOST),
    reads: fields.text(origin['reads'], 'origin.reads'),
    features: fields.whole(origin['features'], 'origin.features', 1, MOST),
  };
}

function dashboardFrom(
  entry: Fields,
  { origin, tokens }: Pick<FeatureDashboard, 'origin' | 'tokens'>,
  name: string,
): FeatureDashboard {
  const at = (field: string): string => `${name}.${field}`;
  const number = (field: string): number => fields.finite(entry[field], at(field));
  const list = <T>(field: string, read: (value: unknown, name: string) => T): T[] =>
    fields.list(entry[field], at(field)).map((value, i) => read(value, `${at(field)}[${i}]`));
  const scores = (field: 'logits' | 'deEmbedding'): Partial<Pick<FeatureDashboard, typeof field>> =>
    entry[field] === undefined ? {} : { [field]: scoredFrom(fields.record(entry[field], at(field)), at(field)) };
  const fired = fields.whole(entry['fired'], at('fired'), 0, tokens);
  return {
    origin,
    feature: fields.whole(entry['feature'], at('feature'), 0, origin.features - 1),
    tokens,
    fired,
    frequency: fired / tokens,
    min: number('min'),
    max: number('max'),
    quantiles: list('quantiles', (value, of) => {
      const { share, value: quantile } = fields.record(value, of);
      return { share: fields.finite(share, `${of}.share`), value: fields.finite(quantile, `${of}.value`) };
    }),
    histogram: list('histogram', (value, of) => fields.whole(value, of, 0, tokens)),
    top: list('top', exampleFrom),
    bands: list('bands', bandFrom),
    ...scores('logits'),
    ...scores('deEmbedding'),
  };
}

function bandFrom(value: unknown, name: string): ActivationBand {
  const band = fields.record(value, name);
  const number = (field: string): number => fields.finite(band[field], `${name}.${field}`);
  return {
    from: number('from'),
    to: number('to'),
    share: number('share'),
    examples: fields
      .list(band['examples'], `${name}.examples`)
      .map((each, i) => exampleFrom(each, `${name}.examples[${i}]`)),
  };
}

function exampleFrom(value: unknown, name: string): DashboardExample {
  const entry = fields.record(value, name);
  const whole = (field: string, most = MOST): number => fields.whole(entry[field], `${name}.${field}`, 0, most);
  const numbers = <T>(field: string, read: (value: unknown, name: string) => T): T[] =>
    fields.list(entry[field], `${name}.${field}`).map((each, i) => read(each, `${name}.${field}[${i}]`));
  const activations = numbers('activations', (each, of) => fields.finite(each, of));
  const tokens = numbers('tokens', (each, of) => fields.whole(each, of, 0, MOST));
  const texts = entry['texts'] === undefined ? undefined : fields.texts(entry['texts'], `${name}.texts`);
  // Without text there are no ids either.
  if (tokens.length !== activations.length && tokens.length > 0)
    throw fields.refuse(`${name}.tokens`, tokens.length, `${activations.length} ids, one for each activation, or none`);
  if (texts && texts.length !== tokens.length)
    throw fields.refuse(`${name}.texts`, texts.length, `${tokens.length} texts, one for each token`);
  return {
    sequence: whole('sequence'),
    position: whole('position'),
    value: fields.finite(entry['value'], `${name}.value`),
    tokens,
    ...(texts ? { texts } : {}),
    activations,
    at: whole('at', activations.length - 1),
    repeated: fields.flag(entry['repeated'], `${name}.repeated`),
  };
}

function scoredFrom(entry: Fields, name: string): ScoredTokens {
  const end = (field: 'most' | 'least'): TokenScore[] =>
    fields.list(entry[field], `${name}.${field}`).map((value, i) => {
      const of = `${name}.${field}[${i}]`;
      const { token, value: score, text } = fields.record(value, of);
      if (text !== undefined && typeof text !== 'string') throw fields.refuse(`${of}.text`, text, 'text');
      return {
        token: fields.whole(token, `${of}.token`, 0, MOST),
        value: fields.finite(score, `${of}.value`),
        ...(text === undefined ? {} : { text }),
      };
    });
  return { most: end('most'), least: end('least') };
}
