// What a board of this project may be: Grafana's published types, made strict. There a panel's options and the settings of
// its values are open records, whatever its kind; here each kind that boards use has those that its own plug-in publishes,
// and queries are Prometheus'. What is not published there (queries) is as little as boards need.
import type * as grafana from '@grafana/schema';
import type * as barGauge from '@grafana/schema/raw/composable/bargauge/panelcfg/x/types.gen';
import type * as heatmap from '@grafana/schema/raw/composable/heatmap/panelcfg/x/types.gen';
import type * as stat from '@grafana/schema/raw/composable/stat/panelcfg/x/types.gen';
import type * as stateTimeline from '@grafana/schema/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as table from '@grafana/schema/raw/composable/table/panelcfg/x/types.gen';
import type * as text from '@grafana/schema/raw/composable/text/panelcfg/x/types.gen';
import type * as timeSeries from '@grafana/schema/raw/composable/timeseries/panelcfg/x/types.gen';

interface Source {
  type: 'prometheus';
  uid: '${datasource}';
}

interface Query {
  datasource: Source;
  editorMode: 'code';
  expr: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant: boolean;
  interval?: string;
  legendFormat: string;
  range: boolean;
  refId: string;
}

type Place = Omit<grafana.GridPos, 'static'>;

interface Values<Custom> extends Omit<grafana.FieldConfig, 'custom'> {
  custom: Custom;
  thresholds: grafana.ThresholdsConfig;
  unit: string;
}

interface Asking<Kind extends string, Options, Custom>
  extends Omit<grafana.Panel, 'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource'> {
  datasource: Source;
  description: string;
  fieldConfig: Omit<grafana.FieldConfigSource, 'defaults'> & { defaults: Values<Custom> };
  gridPos: Place;
  id: number;
  options: Options;
  targets: [Query, ...Query[]];
  title: string;
  type: Kind;
}

interface Words extends Omit<grafana.Panel, 'type' | 'options' | 'targets' | 'datasource'> {
  description: string;
  gridPos: Place;
  id: number;
  options: text.Options;
  title: string;
  type: 'text';
}

interface Heading extends Omit<grafana.RowPanel, 'panels'> {
  gridPos: Place;
  panels: [];
}

type None = Record<string, never>;

type Panel =
  | Asking<'timeseries', timeSeries.Options, timeSeries.FieldConfig>
  | Asking<'stat', stat.Options, None>
  | Asking<'bargauge', barGauge.Options, None>
  | Asking<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | Asking<'state-timeline', stateTimeline.Options, stateTimeline.FieldConfig>
  | Asking<'table', table.Options, table.FieldConfig>
  | Words
  | Heading;

interface Mark extends Omit<grafana.AnnotationQuery, 'target' | 'datasource'> {
  datasource: Source;
  tagKeys: string;
  target: { expr: string; interval: string; refId: string };
  textFormat: string;
  titleFormat: string;
  useValueForTime: boolean;
}

type Variable = Omit<grafana.VariableModel, 'datasource' | 'query'> & {
  description: string;
  label: string;
} & ({ type: 'query'; datasource: Source; query: { qryType: 1; query: string; refId: string } }
  | { type: 'datasource' | 'interval'; query: string });

export interface Board extends Omit<grafana.Dashboard, 'panels' | 'annotations' | 'templating'> {
  annotations: { list: Mark[] };
  description: string;
  id: null;
  panels: Panel[];
  templating: { list: Variable[] };
  title: string;
  uid: `btemu-${string}`;
}
