// Original file: proto/platestream.proto


export interface Serving {
  'domain'?: (string);
  'min_images'?: (number);
  'batch'?: (number);
  'calibration_images'?: (number);
  'source_weight'?: (number | string);
  'normalize'?: (string);
  'all_views'?: (boolean);
  'sites'?: (string);
}

export interface Serving__Output {
  'domain': (string);
  'min_images': (number);
  'batch': (number);
  'calibration_images': (number);
  'source_weight': (number);
  'normalize': (string);
  'all_views': (boolean);
  'sites': (string);
}
