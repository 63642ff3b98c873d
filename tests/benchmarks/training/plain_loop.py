"""A plain Keras loop that trains a Hub classifier, as in TensorFlow's tutorials.

    python plain_loop.py TRAIN_DIR VALIDATION_DIR SAVED_MODEL OUTPUT --epochs N [--whole] [--seed N] [--no-cache]

`image_dataset_from_directory`, pixels to [0, 1], `cache` and `prefetch` as in "Transfer learning with TensorFlow Hub";
`hub.KerasLayer`, dropout, dense layer, label smoothing and L2 as in "Retraining an image classifier", which has no
`cache` (`--no-cache`). Nothing of this project is in it. It prints a line when it has imported, built and saved.
"""

import argparse
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

SIZE = (224, 224)


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser()
    for name in ("training", "validation", "backbone", "output"):
        parser.add_argument(name)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=123)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--no-cache", action="store_true")
    given = parser.parse_args()
    print("Imported", flush=True)
    tf_keras.utils.set_random_seed(given.seed)

    def dataset(folder: str, shuffle: bool) -> tf.data.Dataset:
        images = tf_keras.utils.image_dataset_from_directory(
            folder,
            label_mode="categorical",
            image_size=SIZE,
            batch_size=given.batch_size,
            shuffle=shuffle,
            seed=given.seed,
        )
        rescaling = tf_keras.layers.Rescaling(1.0 / 255)
        images = images.map(lambda pixels, labels: (rescaling(pixels), labels))
        if not given.no_cache:
            images = images.cache()
        return images.prefetch(tf.data.AUTOTUNE)

    classes = len(next(os.walk(given.training))[1])
    training, validation = dataset(given.training, shuffle=True), dataset(given.validation, shuffle=False)
    model = tf_keras.Sequential(
        [
            tf_keras.layers.InputLayer((*SIZE, 3)),
            hub.KerasLayer(given.backbone, trainable=given.whole),
            tf_keras.layers.Dropout(0.2),
            tf_keras.layers.Dense(classes, kernel_regularizer=tf_keras.regularizers.L2(0.0001)),
        ]
    )
    model.compile(
        tf_keras.optimizers.Adam(given.learning_rate),
        tf_keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        metrics=["accuracy"],
    )
    print("Built", flush=True)
    model.fit(training, validation_data=validation, epochs=given.epochs, verbose=2)
    model.save(given.output)
    print("Saved", flush=True)


if __name__ == "__main__":
    main()
