// Ways in which a board can be wrong. A check that passes one of them is worth nothing.

const series = (board) => board.panels.find((panel) => panel.type === 'timeseries');
const stat = (board) => board.panels.find((panel) => panel.type === 'stat');

export const broken = {
  'a place is a text': (board) => (series(board).gridPos.w = '12'),
  'a key of the board is misspelt': (board) => (board.tagz = board.tags),
  'a key of a panel is misspelt': (board) => (series(board).descripton = 'x'),
  'a panel says nothing': (board) => delete stat(board).description,
  'a panel asks nothing': (board) => (stat(board).targets = []),
  'a panel has no unit': (board) => delete series(board).fieldConfig.defaults.unit,
  'there is no such kind of panel': (board) => (series(board).type = 'graph'),
  'a key of options is misspelt': (board) => (stat(board).options.colourMode = 'value'),
  'an option is none of the choices': (board) => (stat(board).options.graphMode = 'pie'),
  'an option is another kind of panel\'s': (board) => (stat(board).options.legend = series(board).options.legend),
  'a setting of values is misspelt': (board) => (series(board).fieldConfig.defaults.custom.lineWidht = 2),
  'a setting of values is none of the choices': (board) => (series(board).fieldConfig.defaults.custom.drawStyle = 'curve'),
  'a threshold has no value': (board) => delete series(board).fieldConfig.defaults.thresholds.steps[0].value,
  'a colour mode is unknown': (board) => (series(board).fieldConfig.defaults.color.mode = 'rainbow'),
  'a query names another data source': (board) => (series(board).targets[0].datasource.uid = 'mine'),
  'a query is misspelt': (board) => (series(board).targets[0].expression = 'up'),
  'a variable sorts by a word': (board) => (board.templating.list[1].sort = 'natural'),
  'an annotation asks nothing': (board) => delete board.annotations.list[0].target,
  'a link has no target': (board) => delete board.links[0].targetBlank,
  'the version is a text': (board) => (board.schemaVersion = '42'),
};
