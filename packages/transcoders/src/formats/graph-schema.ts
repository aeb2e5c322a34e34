// The JSON schemas of attribution graphs and of features, as the viewers of Anthropic, circuit-tracer and Neuronpedia read them; data, written from what is known of them.
import type { JsonSchema } from './json-schema.js';

const text: JsonSchema = { type: 'string' };
const number: JsonSchema = { type: 'number' };
const integer: JsonSchema = { type: 'integer' };
const texts: JsonSchema = { type: 'array', items: text };
const numbers: JsonSchema = { type: 'array', items: number };
const object = (properties: Readonly<Record<string, JsonSchema>>, required: readonly string[] = []): JsonSchema => ({
  type: 'object',
  properties,
  ...(required.length > 0 ? { required } : {}),
});
const DRAFT = 'http://json-schema.org/draft-07/schema#';

/** Of a graph: `metadata`, `qParams`, `nodes`, `links`. */
export const GRAPH_SCHEMA: JsonSchema = {
  $schema: DRAFT,
  title: 'Attribution graph',
  ...object(
    {
      metadata: object(
        {
          slug: text,
          scan: text,
          prompt_tokens: texts,
          prompt: text,
          transcoder_list: texts,
          node_threshold: number,
          schema_version: number,
          feature_details: object({
            feature_json_base_url: text,
            neuronpedia_source_set: text,
            neuronpedia_lorsa_source_set: text,
          }),
          info: object({
            description: text,
            creator_name: text,
            creator_url: text,
            source_urls: texts,
            generator: object({ name: text, version: text, url: text, email: text }),
            create_time_ms: number,
          }),
          generation_settings: object({
            max_n_logits: integer,
            desired_logit_prob: number,
            batch_size: integer,
            max_feature_nodes: integer,
          }),
          pruning_settings: object({ node_threshold: number, edge_threshold: number }),
        },
        ['slug', 'scan', 'prompt_tokens', 'prompt'],
      ),
      qParams: object({
        pinnedIds: texts,
        // A label and the ids that belong to it.
        supernodes: { type: 'array', items: { ...texts, minItems: 1 } },
        // What a reader calls a node: the viewer's name of it and the label.
        clerps: { type: ['array', 'string'], items: texts },
        linkType: text,
        clickedId: { type: ['string', 'null'] },
        sg_pos: text,
      }),
      nodes: {
        type: 'array',
        items: object(
          {
            node_id: text,
            feature: { type: ['integer', 'null'] },
            layer: { type: ['string', 'integer'] },
            ctx_idx: integer,
            feature_type: text,
            jsNodeId: text,
            clerp: text,
            token_prob: { type: ['number', 'null'] },
            is_target_logit: { type: ['boolean', 'null'] },
            run_idx: { type: ['integer', 'null'] },
            reverse_ctx_idx: { type: ['integer', 'null'] },
            influence: { type: ['number', 'null'] },
            activation: { type: ['number', 'null'] },
          },
          ['node_id', 'feature', 'layer', 'ctx_idx', 'feature_type', 'jsNodeId', 'clerp'],
        ),
      },
      links: {
        type: 'array',
        items: object({ source: text, target: text, weight: number }, ['source', 'target', 'weight']),
      },
    },
    ['metadata', 'qParams', 'nodes', 'links'],
  ),
};

/** Of a feature: its examples by quantile, its logits and how it fires. */
export const FEATURE_SCHEMA: JsonSchema = {
  $schema: DRAFT,
  title: 'Feature',
  ...object(
    {
      transcoder_id: text,
      index: integer,
      examples_quantiles: {
        type: 'array',
        items: object(
          {
            quantile_name: text,
            examples: {
              type: 'array',
              items: object(
                {
                  tokens: texts,
                  tokens_acts_list: numbers,
                  train_token_ind: { type: ['integer', 'null'] },
                  is_repeated_datapoint: { type: ['boolean', 'null'] },
                },
                ['tokens', 'tokens_acts_list'],
              ),
            },
          },
          ['quantile_name', 'examples'],
        ),
      },
      top_logits: texts,
      bottom_logits: texts,
      act_min: number,
      act_max: number,
      quantile_values: numbers,
      histogram: numbers,
      activation_frequency: number,
    },
    ['index', 'examples_quantiles'],
  ),
};
