#pragma once

/// Everything of kit that needs no libtorch. `<kit/torch.h>` adds at::Tensor.
#include <kit/archive.h>
#include <kit/compare.h>
#include <kit/configuration.h>
#include <kit/error.h>
#include <kit/manifest.h>
#include <kit/model.h>
#include <kit/programs.h>
#include <kit/signature.h>
#include <kit/tensor.h>
#include <kit/verify.h>
#include <kit/version.h>
#include <kit/warm_up.h>
