"""What other libraries call things, and what they are called here: tables for error messages, read
when something is refused and never before.

A hint is the name that is meant, or the end of a sentence.
"""

from cnn_core._foreign_attributes import by_word

_SCHEDULE = "the schedule is {0}: from cnn_core import {0}, then learning_rate={0}()"
_DIRECTION = (
    "a loss is watched for its lowest value, and 'val_metric', scorers and functions for their "
    "greatest: MLP(early_stopping=True, monitor='val_metric')"
)
_NO_LAYERS = "layers are dense and one after the other, as hidden=(64, 32) lists them"
_ON_CPU = "everything is computed on the CPU, by at most n_threads threads"
_VALIDATION = "fit takes such rows as validation_data=(X_val, y_val)"
_APART = (
    "fit takes validation_data=(X_val, y_val), or MLP(early_stopping=True, "
    "validation_fraction=0.1) sets rows apart"
)

#: Keywords of constructors and methods.
KEYWORDS: dict[str, dict[str, str]] = {}

KEYWORDS["MLP"] = by_word({
    "hidden": "hidden_layer_sizes hidden_sizes hidden_size hidden_units hidden_dim hidden_dims "
    "layer_sizes units n_units neurons widths width",
    "hidden lists the width of each layer: MLP(hidden=(64, 64)) has two of 64 units":
    "hidden_layers layers n_hidden num_hidden n_layers num_layers n_hidden_layers depth",
    "the number of inputs is that of X's columns": "input_dim input_dims input_shape input_size "
    "in_features n_features n_inputs num_features",
    "fit finds the classes in y, and partial_fit takes all that will come: "
    "partial_fit(X, y, classes=[0, 1])": "classes class_names labels",
    "the number of outputs follows from y": "n_classes num_classes num_class output_dim "
    "output_shape output_size out_features n_outputs",
    "activation": "activations activation_fn activation_func activation_function act act_fn "
    "nonlinearity hidden_activation",
    "output": "output_activation out_activation final_activation",
    "loss": "loss_fn loss_func loss_function criterion objective cost cost_function",
    "optimizer": "solver optimiser optim algorithm updater opt",
    "settings of an optimizer are given to its class: MLP(optimizer=Adam(beta1=0.8))":
    "optimizer_kwargs optimizer_params optimizer_args optim_kwargs solver_params",
    "learning_rate": "lr learning_rate_init initial_lr init_lr eta eta0 step_size learn_rate",
    "learning_rate takes a schedule too: MLP(learning_rate=Cosine())": "scheduler lr_scheduler "
    "lr_schedule learning_rate_schedule lr_policy power_t",
    "learning_rate takes a schedule too: MLP(learning_rate=Exponential(decay=0.95))":
    "decay lr_decay learning_rate_decay",
    "learning_rate takes a schedule too: MLP(learning_rate=Warmup(epochs=5))":
    "warmup warmup_epochs warmup_steps",
    "batch_size": "batch batchsize bs minibatch_size mini_batch_size train_batch_size",
    "epochs": "epoch max_iter n_epochs num_epochs nb_epoch nb_epochs max_epochs n_iter "
    "num_iterations n_iterations iterations",
    "scikit-learn's alpha, which it divides by the rows of a mini-batch, is called l2 here: "
    "MLP(l2=1e-5)": "alpha",
    "it is a penalty, MLP(l2=0.001), or a setting of one optimizer, "
    "MLP(optimizer=AdamW(weight_decay=0.01))": "weight_decay",
    "l1": "l1_reg l1_penalty l1_regularization reg_alpha",
    "l2": "l2_reg l2_penalty l2_regularization reg_lambda lambda_ kernel_regularizer "
    "regularization penalty",
    "dropout": "dropout_rate dropout_p p_dropout drop_rate dropout_prob",
    "clip_norm": "clipnorm global_clipnorm grad_clip gradient_clip gradient_clip_val max_grad_norm "
    "clip_grad clip_grad_norm gradient_clipping clipvalue",
    "max_norm": "max_weight_norm kernel_constraint weight_constraint",
    "monotone": "monotonic_cst monotone_constraints monotonic monotonicity monotonic_constraints",
    "tol": "tolerance",
    "min_delta, with early stopping, is what counts as an improvement: "
    "MLP(early_stopping=True, min_delta=1e-4)": "threshold",
    "it is called patience here and needs tol or early stopping: "
    "MLP(early_stopping=True, patience=10)":
    "n_iter_no_change early_stopping_rounds early_stopping_patience stopping_rounds",
    "early_stopping": "early_stop stop_early",
    _APART: "validation_split val_split val_fraction valid_fraction val_size test_size",
    _VALIDATION: "validation_data eval_set validation_set valid_set X_val y_val",
    "fit takes it: model.fit(X, y, sample_weight=...)": "sample_weight sample_weights",
    "random_state": "seed random_seed rng rand_state manual_seed rng_seed",
    "n_threads": "n_jobs num_threads nthread nthreads threads n_cores num_workers workers",
    _ON_CPU: "device gpu use_gpu cuda accelerator use_cuda",
    "verbose": "verbosity verbose_level verbose_eval log_level progress show_progress disp",
    "it is a setting of the optimizer: MLP(optimizer=SGD(momentum=0.9))": "momentum",
    "it is a setting of the optimizer: MLP(optimizer=SGD(momentum=0.9, nesterov=True))":
    "nesterov nesterovs_momentum",
    "it is a setting of the optimizer, called beta1 or beta2: MLP(optimizer=Adam(beta1=0.9, "
    "beta2=0.999))": "beta_1 beta_2 betas beta1 beta2",
    "it is a setting of the optimizer: MLP(optimizer=Adam(epsilon=1e-8))": "epsilon eps",
    "it is a setting of the optimizer: MLP(optimizer=Adam(amsgrad=True))": "amsgrad",
    "it is a setting of the optimizer: MLP(optimizer=RMSprop(rho=0.9))": "rho",
    "it is a setting of the optimizer: MLP(optimizer=LBFGS(max_evaluations=25))": "max_fun",
    "inputs are scaled by scale_inputs: MLP(scale_inputs='standard')": "scaler scale scaling "
    "normalize normalise standardize standardise normalization preprocessing input_scaler",
    "monitor": "metric metrics scoring scorer eval_metric monitor_metric",
    _DIRECTION: "mode greater_is_better higher_is_better",
    "init": "initializer initialization weight_init weights_init init_method kernel_initializer "
    "weight_initializer init_weights",
    "bias": "use_bias fit_intercept add_bias biases intercept",
    "biases begin at 0, or at what init=[(W, b), ...] gives": "bias_initializer",
    _NO_LAYERS: "batch_norm batchnorm batch_normalization use_batch_norm layer_norm norm",
    "dtype": "precision float_precision data_type",
    "class_weight": "class_weights pos_weight scale_pos_weight",
    "label_smoothing": "smoothing label_smooth",
    "restore_best": "restore_best_weights load_best",
    "callbacks": "callback hooks",
    "warm_start": "warmstart continue_training",
    "task": "problem_type task_type",
    "the class says the task: MLPClassifier or MLPRegressor, and MLP(task='regression') takes both":
    "task",
    "backend": "engine framework",
})  # fmt: skip

#: Of the drop-in for scikit-learn's estimators, whose names are those of scikit-learn.
_OF_MLP = "it is a parameter of cnn_core.MLP"
KEYWORDS["BaseMLP"] = by_word({
    "hidden_layer_sizes": "hidden hidden_layers hidden_sizes hidden_units layers units n_hidden",
    "max_iter": "epochs epoch n_epochs num_epochs max_epochs n_iter",
    "solver": "optimizer optim optimiser",
    "alpha": "l2 weight_decay l2_reg",
    "learning_rate_init": "lr eta eta0",
    "random_state": "seed random_seed",
    "n_iter_no_change": "patience",
    "restore_best_weights": "restore_best",
    "n_threads": "n_jobs num_threads",
    "beta_1": "beta1", "beta_2": "beta2", "epsilon": "eps",
    "the classifier has the cross-entropy, the regressor the squared error": "output task",
    _OF_MLP: "l1 max_norm clip_norm bias init scale_inputs scale_targets label_smoothing backend "
    "clip_outputs min_delta step_history max_seconds monitor",
})  # fmt: skip

_L2 = "decay of the weights is a penalty, MLP(l2=0.001), or AdamW(weight_decay=0.01)"
_DECAY = "the rate changes by a schedule: MLP(learning_rate=Exponential(decay=0.95))"

KEYWORDS["Optimizer"] = by_word({
    "learning_rate": "lr eta step_size learning_rate_init alpha",
    "the two are called beta1 and beta2 here: Adam(beta1=0.9, beta2=0.999)": "betas",
    "beta1": "beta_1 b1 momentum", "beta2": "beta_2 b2",
    "epsilon": "eps",
    _L2: "weight_decay l2",
    _DECAY: "decay lr_decay",
    "it is a parameter of MLP: MLP(clip_norm=1.0)": "clip_norm clipnorm clipvalue global_clipnorm",
    "it is a setting of Adam: Adam(amsgrad=True)": "amsgrad",
    "the network's parameters are its own: give the optimizer to MLP(optimizer=Adam())":
    "params parameters model",
    "all parameters take their step in one pass": "foreach fused capturable maximize jit_compile",
})  # fmt: skip
KEYWORDS["SGD"] = by_word({"nesterov": "nesterovs_momentum use_nesterov"})
KEYWORDS["RMSprop"] = by_word({"rho": "alpha decay_rate smoothing_constant"})
KEYWORDS["LBFGS"] = by_word({
    "memory": "history_size m maxcor",
    "tolerance": "tolerance_grad tol gtol pgtol",
    "max_evaluations": "max_eval max_fun maxls maxfun",
    "an iteration is an epoch here: MLP(optimizer='lbfgs', epochs=100)": "max_iter maxiter",
    "the line search always ends by the strong Wolfe conditions": "line_search_fn line_search",
})  # fmt: skip
KEYWORDS["Rprop"] = by_word({
    "the two are called eta_minus and eta_plus here": "etas",
    "the two are called step_min and step_max here": "step_sizes",
})  # fmt: skip

_WHOLE_FIT = "a schedule spans the epochs of the fit: MLP(epochs=100)"
KEYWORDS["Schedule"] = by_word({
    "initial": "lr learning_rate initial_lr initial_learning_rate max_lr base_lr init_value",
    _WHOLE_FIT: "T_max total_steps decay_steps steps_per_epoch total_iters epochs max_epochs",
    "give the schedule to MLP(learning_rate=Cosine())": "optimizer",
})  # fmt: skip
KEYWORDS["StepDecay"] = by_word({"every": "step_size step", "drop": "gamma factor decay"})
KEYWORDS["Exponential"] = by_word({"decay": "gamma decay_rate rate"})
KEYWORDS["InverseTime"] = by_word({"decay": "gamma decay_rate rate"})
KEYWORDS["Cosine"] = by_word({"final": "eta_min min_lr final_lr alpha end"})
KEYWORDS["Warmup"] = by_word({"epochs": "warmup warmup_epochs", "then": "after schedule"})
KEYWORDS["OneCycle"] = by_word({"rise": "pct_start"})
KEYWORDS["ReduceOnPlateau"] = by_word({
    "drop": "factor gamma", "min_delta": "threshold tol", "smallest": "min_lr",
    "it watches what MLP(monitor='val_metric') names, or by default the validation loss":
    "monitor mode",
})  # fmt: skip
KEYWORDS["LeakyReLU"] = by_word({"negative_slope": "alpha slope"})
KEYWORDS["Huber"] = by_word({"delta": "beta threshold"})
KEYWORDS["Normal"] = by_word({"scale": "std stddev sigma"})
KEYWORDS["Orthogonal"] = by_word({"gain": "scale"})

_AS_ONE = "all rows are computed together in little memory beside the result"
KEYWORDS["split"] = by_word({
    "test": "test_size test_fraction test_split size fraction",
    "the rows that are not tested on are trained on: split(X, y, test=0.2)": "train_size train",
    "the rows are in random order always": "shuffle",
    "random_state": "seed random_seed rng",
    "stratify": "labels stratify_by",
})  # fmt: skip
KEYWORDS["fit"] = by_word({
    _APART: "validation_split",
    _VALIDATION: "eval_set X_val y_val x_val X_valid y_valid X_test y_test val_data valid_data "
    "validation_set",
    "sample_weight": "sample_weights weights weight",
    "it finds the classes in y": "classes",
    "it is the other way round: MLP(warm_start=True) goes on from the present weights":
    "initial_epoch",
})  # fmt: skip
KEYWORDS["partial_fit"] = by_word({
    "partial_fit trains for one epoch: call it once for each": "epochs max_iter n_epochs "
    "num_epochs",
    "partial_fit validates nothing: call score or evaluate on such rows": "validation_data "
    "eval_set validation_split",
    "sample_weight": "sample_weights weights weight",
})  # fmt: skip
KEYWORDS["initialize"] = by_word({
    "n_features": "n_inputs n_features_in in_features input_dim input_size",
    "n_outputs": "out_features output_dim output_size",
    "name them, such as classes=range(10)": "n_classes num_classes",
})  # fmt: skip
KEYWORDS["score"] = KEYWORDS["evaluate"] = by_word({
    _AS_ONE: "batch_size batch steps",
    "it prints nothing": "verbose",
    "other measures take what predict or predict_proba returns": "scoring metric metrics",
})  # fmt: skip
KEYWORDS["evaluate"] = KEYWORDS["evaluate"] | by_word({
    "score takes it: model.score(X, y, sample_weight=...)": "sample_weight sample_weights weights",
})  # fmt: skip


_CROSS_ENTROPIES = (
    "the cross-entropies are 'binary_crossentropy' (two classes, or several labels a row) and "
    "'sparse_categorical_crossentropy' (classes), and 'auto' takes the one that fits y"
)
_NORMAL = "'{}' draws from a uniform distribution of the same variance"

#: Values of parameters that are names. Words are in lower case, with underscores.
VALUES: dict[str, dict[str, str]] = {"parameter": KEYWORDS["MLP"]}
VALUES["loss"] = by_word({
    _CROSS_ENTROPIES: "log_loss logloss cross_entropy crossentropy crossentropyloss ce nll "
    "nll_loss nllloss deviance xent softmax_cross_entropy negative_log_likelihood",
    "binary_crossentropy": "bce bceloss bcewithlogitsloss binary_cross_entropy logistic",
    "categorical_crossentropy": "categorical_cross_entropy kl_divergence kld",
    "sparse_categorical_crossentropy": "sparse_categorical_cross_entropy scce",
    "mse": "squared_error squared_loss mean_squared_error l2 l2_loss mseloss least_squares "
    "quadratic",
    "mae": "absolute_error mean_absolute_error l1 l1_loss l1loss",
    "huber": "smooth_l1 smooth_l1_loss smoothl1loss huber_loss",
    "poisson": "poisson_nll poisson_nll_loss poissonnllloss poisson_loss poisson_deviance",
    "'hinge' is the one that is not squared": "squared_hinge",
    "pinball": "quantile quantile_loss pinball_loss",
    "gaussian_nll": "gaussian_nll_loss gaussiannllloss gaussiannll",
})  # fmt: skip
_NEAREST = "there is none of that name, and {} is the nearest"
VALUES["activation"] = VALUES["output"] = by_word({
    "sigmoid": "logistic logit expit",
    "identity": "linear none null",
    "swish": "silu",
    "leaky_relu": "lrelu",
    "relu": "rectifier",
    "gelu_tanh": "gelu_new gelu_approximate quick_gelu",
    "step": "heaviside threshold binary_step",
    "exp": "exponential",
    "'softplus' of -z is -log sigmoid(z)": "logsigmoid log_sigmoid",
    "outputs are probabilities here, without a logarithm": "logsoftmax log_softmax",
    "none is periodic, and columns such as np.sin(X[:, 0]) bring a period": "sin sine cos cosine "
    "siren snake",
    "no unit is gated, and 'swish' and 'gelu' are the nearest": "swiglu geglu glu reglu",
    _NEAREST.format("'relu'"): "relu6 crelu maxout threshold_relu thresholdedrelu relu2 "
    "squared_relu",
    _NEAREST.format("'leaky_relu'"): "prelu rrelu",
    _NEAREST.format("'elu'"): "celu",
    _NEAREST.format("'tanh'"): "softsign arctan atan erf hardtanh hard_tanh tanhshrink sinh",
    _NEAREST.format("'softmax'"): "softmin sparsemax",
})  # fmt: skip
VALUES["optimizer"] = by_word({
    "it is SGD with a setting: from cnn_core import SGD, then optimizer=SGD(momentum=0.9)":
    "momentum sgdm heavy_ball",
    "it is SGD with two settings: from cnn_core import SGD, then optimizer=SGD(momentum=0.9, "
    "nesterov=True)": "nesterov nag",
    "there is none of that name, and 'adam' and 'nadam' are the nearest": "adamax radam adabelief "
    "adamod yogi lookahead ranger",
    "there is none of that name, and 'adamw' is the nearest": "lion lamb adafactor sophia muon "
    "nadamw radamw schedulefree prodigy",
    "there is none of that name, and 'adagrad' is the nearest": "ftrl adagradw",
    "lbfgs": "l_bfgs lbfgs_b l_bfgs_b bfgs cg newton_cg",
    "sgd": "gd gradient_descent stochastic_gradient_descent",
})  # fmt: skip
VALUES["learning_rate"] = by_word({
    "a number, or None for the optimizer's own, is a constant rate": "constant fixed auto",
    _SCHEDULE.format("Cosine"): "cosine cosine_annealing cosineannealinglr cosine_decay",
    _SCHEDULE.format("ReduceOnPlateau"): "adaptive plateau reduce_on_plateau reducelronplateau",
    _SCHEDULE.format("StepDecay"): "step step_decay steplr multistep",
    _SCHEDULE.format("Exponential"): "exponential exponential_decay exponentiallr",
    _SCHEDULE.format("InverseTime"): "invscaling inverse inverse_time inv_scaling",
    _SCHEDULE.format("OneCycle"): "one_cycle onecycle onecyclelr 1cycle",
    _SCHEDULE.format("Warmup"): "warmup warm_up",
    _SCHEDULE.format("Coslog"): "coslog cos_log",
    _SCHEDULE.format("FlatCosine"): "flat_cosine flatcosine flat_cos",
})  # fmt: skip
VALUES["init"] = by_word({
    "glorot": "xavier xavier_uniform glorot_uniform",
    "he": "kaiming kaiming_uniform he_uniform",
    "lecun": "lecun_uniform",
    _NORMAL.format("glorot"): "xavier_normal glorot_normal",
    _NORMAL.format("he"): "kaiming_normal he_normal",
    _NORMAL.format("lecun"): "lecun_normal",
    "normal": "random random_normal randn gaussian truncated_normal",
    "'he', 'glorot' and 'lecun' are uniform": "uniform random_uniform",
    "data_driven": "data_dependent lsuv he+5",
    "auto": "default",
})  # fmt: skip
VALUES["numeric_embedding"] = by_word({
    "periodic": "pbld plr periodic_linear fourier cosine sinusoidal",
})  # fmt: skip
VALUES["scale_inputs"] = by_word({
    "standard": "standardize standardise standardization zscore z_score standardscaler",
    "minmax": "min_max min_max_scaler minmaxscaler range unit",
    "robust": "robustscaler quantile iqr median",
    "no scaling is None, which is no text": "none",
})  # fmt: skip
VALUES["monitor"] = by_word({
    "val_metric": "val_accuracy val_acc val_r2 val_r2_score val_r_squared val_score "
    "val_binary_accuracy val_categorical_accuracy val_sparse_categorical_accuracy valid_acc "
    "validation_score validation_accuracy",
    "val_loss": "validation_loss valid_loss eval_loss valid_0",
    "loss": "train_loss training_loss",
    "'val_metric' is that of validation rows": "metric acc train_accuracy train_acc error",
    "'val_loss' is the cross-entropy of validation rows": "logloss log_loss binary_logloss "
    "multi_logloss mlogloss cross_entropy crossentropy val_crossentropy",
    "roc_auc": "auc val_auc roc_auc_score auroc",
    "average_precision": "aucpr auc_pr prauc average_precision_score",
    "f1": "f1_score val_f1",
    "accuracy": "accuracy_score",
    "balanced_accuracy": "balanced_accuracy_score val_balanced_accuracy",
    "r2": "r2_score",
    "neg_mean_squared_error": "mse l2 mean_squared_error val_mse",
    "neg_root_mean_squared_error": "rmse root_mean_squared_error val_rmse",
    "neg_mean_absolute_error": "mae l1 mean_absolute_error val_mae",
    "neg_mean_absolute_percentage_error": "mape mean_absolute_percentage_error",
})  # fmt: skip
VALUES["task"] = by_word({
    "classification": "binary multiclass multi_class multilabel classifier classify",
    "regression": "regressor regress continuous",
})  # fmt: skip
VALUES["backend"] = by_word({
    "native": "c cython cpu numpy cpp",
    "python": "reference pure_python py",
    _ON_CPU: "gpu cuda torch jax tensorflow",
})  # fmt: skip


_ACTIVATION = "it is a name here: MLP(activation='{}')"
_MLP_ONLY = "cnn_core has multilayer perceptrons only"

#: Names that somebody may ask of the package.
NAMES: dict[str, str] = by_word({
    "early stopping is a parameter: MLP(early_stopping=True, patience=10)": "EarlyStopping",
    "a callback sees the model after each epoch: see cnn_core.Callback": "ModelCheckpoint "
    "TensorBoard CSVLogger ProgressBar History LambdaCallback",
    _NO_LAYERS + ", such as MLP(hidden=(64, 32))": "Dense Linear Layer Input Sequential Model "
    "Module Perceptron NeuralNetwork Network DNN BatchNormalization BatchNorm1d LayerNorm Flatten",
    "dropout is a parameter: MLP(dropout=0.2)": "Dropout AlphaDropout",
    _MLP_ONLY: "CNN Conv1d Conv2d Conv1D Conv2D RNN LSTM GRU Transformer Attention "
    "MaxPooling2D MaxPool2d",
    "MLP does both, classification and regression, and cnn_core.sklearn has estimators of that "
    "name": "MLPClassifier MLPRegressor",
    "MLP does both: MLP(task='classification') or MLP(task='regression')":
    "Classifier Regressor NeuralNetClassifier NeuralNetRegressor",
    "scaling is part of the model: MLP(scale_inputs='standard')": "StandardScaler Standardizer "
    "Normalizer Normalization",
    "scaling is part of the model: MLP(scale_inputs='minmax')": "MinMaxScaler",
    "scaling is part of the model: MLP(scale_inputs='robust')": "RobustScaler",
    "it is scikit-learn's, and works with MLP": "GridSearchCV RandomizedSearchCV Pipeline "
    "make_pipeline cross_val_score",
    "rows are divided by cnn_core.datasets.split": "train_test_split random_split",
    _ACTIVATION.format("relu"): "ReLU relu Relu",
    _ACTIVATION.format("sigmoid"): "Sigmoid sigmoid",
    _ACTIVATION.format("tanh"): "Tanh tanh",
    _ACTIVATION.format("gelu"): "GELU gelu",
    _ACTIVATION.format("swish"): "SiLU Swish silu",
    "it is a name here: MLP(output='softmax')": "Softmax softmax",
    "losses are names: MLP(loss='mse')": "MSELoss MeanSquaredError L1Loss",
    "losses are names, and MLP() takes the cross-entropy that fits y": "CrossEntropyLoss BCELoss "
    "BCEWithLogitsLoss NLLLoss BinaryCrossentropy CategoricalCrossentropy",
    "there is none of that name, and Adam and Nadam are the nearest": "Adamax RAdam AdaBelief",
    "momentum is a setting of SGD: SGD(momentum=0.9)": "Momentum",
    "the schedule is Cosine: MLP(learning_rate=Cosine())": "CosineAnnealing CosineAnnealingLR "
    "CosineDecay",
    "the schedule is StepDecay: MLP(learning_rate=StepDecay())": "StepLR",
    "the schedule is Exponential: MLP(learning_rate=Exponential())": "ExponentialLR "
    "ExponentialDecay",
    "the schedule is OneCycle: MLP(learning_rate=OneCycle())": "OneCycleLR",
    "the schedule is ReduceOnPlateau: MLP(learning_rate=ReduceOnPlateau())": "ReduceLROnPlateau",
    "schedules are classes of cnn_core.schedules, given as MLP(learning_rate=Cosine())":
    "LearningRateScheduler Schedule LRScheduler",
    "fit takes arrays": "DataLoader Dataset TensorDataset Tensor tensor",
    _ON_CPU: "cuda device",
    "it is in cnn_core.datasets": "load_digits",
})  # fmt: skip
