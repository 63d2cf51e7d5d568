// All TensorFlow ops in one unit: reading TensorFlow's headers is most of the work.

#include "shuffle_op.h"
#include "softmax_op.h"
#include "steps_op.h"
#include "triplets_op.h"
